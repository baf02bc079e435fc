"""A device's own folder: which release it answers with, which it had before, which it refused.

tuf/            the metadata that the update client trusts, and `anchor.json`, the root given once
incoming/       downloads under way; may be deleted at any time while no pull runs
releases/ID/    installed releases: whole, checked, never written to again
current         {"release": ID, "previous": ID or null}; replaced atomically, so it always names a whole release
bad.json        releases that this device refused, with the reason
lock            held while a pull runs
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edge_runtime.core.release import Release, open_release
from edge_runtime.errors import ReleaseError, UpdateError
from edge_runtime.files import write_atomically

RELEASE_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Current:
    """The content of `current`."""

    release: str
    previous: str | None = None


@dataclass(frozen=True)
class Home:
    """A device's own folder."""

    path: Path

    @property
    def tuf(self) -> Path:
        """The folder of the metadata that the update client trusts."""
        return self.path / "tuf"

    @property
    def anchor(self) -> Path:
        """The root of trust that was given once."""
        return self.tuf / "anchor.json"

    @property
    def incoming(self) -> Path:
        """Downloads under way."""
        return self.path / "incoming"

    @property
    def releases(self) -> Path:
        """Installed releases."""
        return self.path / "releases"

    def folder(self, release: str) -> Path:
        """Return where a release is or will be installed."""
        return self.releases / release

    def read_current(self) -> Current | None:
        """Return the content of `current`; None where nothing was pulled yet.

        Raises:
            ReleaseError: the file is damaged.
        """
        path = self.path / "current"
        try:
            content = json.loads(path.read_bytes())
            current = Current(_checked_id(content["release"]), content["previous"] and _checked_id(content["previous"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise ReleaseError(f"{path} is damaged: pull again to restore it.") from None
        return current

    def write_current(self, current: Current) -> None:
        """Switch to a release, atomically.

        Raises:
            OSError: the folder is full or not writable; `current` is then as it was.
        """
        data = json.dumps({"release": current.release, "previous": current.previous}) + "\n"
        write_atomically(self.path / "current", data.encode())

    def open_current(self) -> Release:
        """Check and return the release that `current` names.

        Raises:
            ReleaseError: there is none, or it is altered.
        """
        current = self.read_current()
        if current is None:
            raise ReleaseError(
                f"{self.path} holds no release yet: run `discern-edge pull REPOSITORY --root root.json`."
            )
        return open_release(self.folder(current.release), current.release)

    def bad(self) -> dict[str, str]:
        """Return the refused releases with the reasons; a damaged record counts as none."""
        return {release: entry["reason"] for release, entry in self._read_bad().items()}

    def remember_bad(self, release: str, reason: str) -> None:
        """Note that a release was refused, so that it is not tried again and again."""
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._write_bad({**self._read_bad(), release: {"reason": reason, "refused": when}})

    def forget_bad(self, release: str) -> None:
        """Let a refused release be tried again."""
        self._write_bad({name: entry for name, entry in self._read_bad().items() if name != release})

    def prune(self, current: Current) -> None:
        """Delete the installed releases other than the current and the previous one."""
        for folder in self.releases.iterdir():
            if folder.name not in (current.release, current.previous):
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one pull; the system frees it when the process ends, however it ends.

        Raises:
            UpdateError: another pull is running.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UpdateError(f"another pull is running in {self.path}: wait for it to end.") from None
            yield

    def _read_bad(self) -> dict[str, dict[str, str]]:
        try:
            content = json.loads((self.path / "bad.json").read_bytes())
            return {
                str(release): {"reason": str(entry["reason"]), "refused": str(entry["refused"])}
                for release, entry in content.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def _write_bad(self, content: dict[str, dict[str, str]]) -> None:
        write_atomically(self.path / "bad.json", (json.dumps(content, indent=1) + "\n").encode())


def _checked_id(text: str) -> str:
    if not RELEASE_ID.fullmatch(text):
        raise ValueError(text)
    return text
