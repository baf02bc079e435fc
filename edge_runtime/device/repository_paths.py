"""The layout of a repository of releases, which publisher and device share: paths of targets, and a channel's pointer.

channels/CHANNEL.json        the pointer: which release the channel names
releases/ID/release.json     the manifest
files/SHA256/NAME            the files, by content, so releases share what they have in common
"""

from __future__ import annotations

import json
import re

from edge_runtime.core.release import MANIFEST_FILE, FileEntry
from edge_runtime.device.home import RELEASE_ID
from edge_runtime.errors import UpdateError

CHANNEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def channel_path(channel: str) -> str:
    """Return the target path of a channel's pointer.

    Raises:
        UpdateError: it is not a channel's name.
    """
    if not CHANNEL.fullmatch(channel):
        raise UpdateError(f"channel {channel!r} is not a name of small letters, digits, dots, dashes and underscores.")
    return f"channels/{channel}.json"


def channel_named(path: str) -> str | None:
    """Return the channel whose pointer lies at a target path; None for another target."""
    channel = path.removeprefix("channels/").removesuffix(".json")
    return channel if CHANNEL.fullmatch(channel) and channel_path(channel) == path else None


def manifest_path(release: str) -> str:
    """Return the target path of a release's manifest."""
    return f"releases/{release}/{MANIFEST_FILE}"


def file_path(name: str, entry: FileEntry) -> str:
    """Return the target path of a release's file."""
    return f"files/{entry.sha256}/{name}"


def make_pointer(release: str) -> bytes:
    """Return the pointer of a channel that names `release`."""
    return (json.dumps({"release": release, "manifest": manifest_path(release)}) + "\n").encode()


def parse_pointer(data: bytes, where: str) -> str:
    """Return the release that a channel's pointer names; `where` names it in errors.

    Raises:
        UpdateError: it is not a pointer.
    """
    try:
        content = json.loads(data)
        release = str(content["release"])
        if RELEASE_ID.fullmatch(release) and content["manifest"] == manifest_path(release):
            return release
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UpdateError(f"{where} is not a channel's pointer: publish the channel again.")
