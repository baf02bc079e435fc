"""The interface of files below one root, and the rules that every kind of root keeps."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Protocol

from edge_runtime.core.images import ImageLimits

READ_LIMIT = ImageLimits().max_bytes + 1  # bytes; one more than a photo may have, so that the decoder refuses it
# By systems: macOS, Windows, Linux, and the NAS of Synology and QNAP with their thumbnails and recycle bins.
_LITTER = (
    "__macosx|network trash folder|temporary items|thumbs.db|ehthumbs.db|desktop.ini|$recycle.bin|recycler|recycled|"
    "system volume information|found.000|lost+found|@eadir|@tmp|#recycle|#snapshot|@recycle|@recently-snapshot|"
    "@__thumb|@syno"
)
LITTER = frozenset(_LITTER.split("|"))
PLACEHOLDER = ".icloud"  # of a photo that is not on this machine; it is hidden, and yet must be told


class Tree(Protocol):
    """Files below one root."""

    name: str  # for messages and lineage
    location: str  # its path as the caller gave it
    files: tuple[str, ...]  # paths from the root, with slashes, sorted

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """Return the content of one file, at most `limit` bytes; any thread may call it.

        Raises:
            DataError: it cannot be read.
        """

    def stamp(self, path: str) -> str:
        """Return what changes whenever the file may have changed: its size, and its time of change or checksum."""

    def fingerprint(self) -> str:
        """Return a hash of all paths and stamps."""


def changed_sentence(file: str) -> str:
    """Return the message about a file that is not the one that was listed."""
    return f"{file} changed after it was listed: wait until nothing writes there any more."


def leads_out(path: str) -> bool:
    """Return True if a path from the root may lead elsewhere, on this system or another."""
    return path.startswith("/") or "\\" in path or ".." in path.split("/") or re.match("[A-Za-z]:", path) is not None


def is_litter(name: str) -> bool:
    """Return True if a file or folder of this name was left behind by a system, was deleted, or is hidden."""
    return (name.startswith(".") and not name.endswith(PLACEHOLDER)) or name.lower() in LITTER


def has_litter(path: str) -> bool:
    """Return True if any part of a path is litter."""
    return any(is_litter(part) for part in path.split("/"))


def hash_listing(listing: object) -> str:
    """Return a hash of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
