"""A download on the device's disk: what it takes from installed releases, how it is installed, what is left of it.

Rules kept:
- an installed release is never written to: its files are shared by hard links, a new release is renamed into place;
- a file counts as here only if its length and its hash are the stated ones;
- a pull that was cut off leaves whole files in `incoming`, which the next pull uses, and its leftovers go;
- a full disk stops the pull and gives back what the pull took, so that identification has its space.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_runtime.core.release import FileEntry, open_release
from edge_runtime.device.home import Current, Home
from edge_runtime.errors import ReleaseError, UpdateError
from edge_runtime.files import fsync_file, fsync_folder, sha256_file

SPARE_BYTES = 1024 * 1024  # left free by a download
FULL = (errno.ENOSPC, errno.EDQUOT)


def clear_leftovers(home: Home) -> None:
    """Remove what an interrupted pull left; whole downloaded files stay, and are hashed again before use."""
    for folder in (home.tuf, home.incoming, home.releases):
        folder.mkdir(parents=True, exist_ok=True)
    patterns = [(home.path, ".*.tmp"), (home.tuf, "tmp*"), (home.tuf, ".*.tmp")]
    patterns += [(home.incoming, pattern) for pattern in (".small", "*/.*.part", "*/.*.tmp")]
    for folder, pattern in patterns:
        for path in list(folder.glob(pattern)):
            with suppress(FileNotFoundError):
                path.unlink()


def is_whole(folder: Path, release: str) -> bool:
    """Return True if `folder` holds the release, every file as stated."""
    try:
        open_release(folder, release)
    except ReleaseError:
        return False
    return True


def has_file(path: Path, entry: FileEntry) -> bool:
    """Return True if `path` is the file that `entry` states."""
    return path.is_file() and path.stat().st_size == entry.bytes and sha256_file(path) == entry.sha256


def take_installed(home: Home, path: Path, entry: FileEntry) -> bool:
    """Take a file from an installed release; a hard link where the disk can, as neither is ever written to again.

    Returns:
        True if an installed release has the file.
    """
    for installed in sorted(home.releases.iterdir()):
        source = installed / path.name
        if not has_file(source, entry):
            continue
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, path)
            fsync_file(path)
        return True
    return False


def check_space(home: Home, needed: int) -> None:
    """Refuse a download of `needed` bytes that would fill the disk.

    Raises:
        OSError: it would; ENOSPC, as the disk itself would say.
    """
    free = shutil.disk_usage(home.path).free
    if needed and free < needed + SPARE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def install(home: Home, release: str) -> None:
    """Move a whole, checked release from `incoming` to its place, and drop other downloads."""
    target = home.folder(release)
    if target.exists():  # altered, or it would not have been downloaded again
        shutil.rmtree(target)
    (home.incoming / release).rename(target)
    fsync_folder(home.releases)
    for leftover in home.incoming.iterdir():
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)


def read_current_or_none(home: Home) -> Current | None:
    """Return the content of `current`; None where there is none, or a damaged one, which a pull writes anew."""
    try:
        return home.read_current()
    except ReleaseError:
        return None


@contextmanager
def disk_errors(home: Home) -> Iterator[None]:
    """Turn errors of a full or read-only disk into a sentence, and give back the space that the download took."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            _give_back(home)
            raise UpdateError(f"the disk of {home.path} is full: free some space and pull again.") from None
        raise UpdateError(f"{error.filename or home.path} cannot be read or written ({error.strerror}).") from None


def _give_back(home: Home) -> None:
    """Free what an unfinished pull took: its downloads, and a release that was installed but not switched to."""
    shutil.rmtree(home.incoming, ignore_errors=True)
    current = read_current_or_none(home)
    if current is not None:
        home.prune(current)
