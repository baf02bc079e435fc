"""Writing a file so that a reader sees all of it or none of it, wherever the power fails.

Rules kept:
- what is being written has a name of its own (`.partial-*`) in the same folder, and its writer holds a lock on it;
- what a killed writer left is removed by the next one: its lock is free;
- where a file system knows no locks, leftovers are known by their age.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_runtime.files import fsync_file, fsync_folder, rename_durably

PARTIAL = ".partial-"
ABANDONED_AFTER = 86_400.0  # seconds without a change


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it becomes `path` when the block ends well, and is gone when it does not.

    Raises:
        OSError: the folder cannot be written.
    """
    with scratch(path.parent) as temporary:
        yield temporary
        settle(temporary, path)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Yield the path of an empty file in `folder` that is gone afterwards, unless it was settled.

    Write into that very file: the lock is on it, not on its name.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    while True:
        handle, name = tempfile.mkstemp(prefix=PARTIAL, dir=folder)
        with _lent(handle, Path(name)) as path:
            if path:
                yield path
                return


@contextmanager
def one_at_a_time(path: Path) -> Iterator[Path | None]:
    """Let one caller of all threads and processes make `path` while the others wait.

    On a file system without locks nobody waits, and each makes a file of their own.

    Yields:
        A temporary name to write to and to settle, or None: `path` is there, whoever came first has made it.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    if not _knows_locks(path.parent):
        with scratch(path.parent) as temporary:
            yield temporary
        return
    name = path.with_name(PARTIAL + path.name)
    while not path.exists():
        with _lent(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), name) as held:
            if held:
                yield None if path.exists() else held
                return
    yield None


def settle(temporary: Path, path: Path) -> None:
    """Give a file that is complete its name, durably."""
    rename_durably(temporary, path)


def settle_new(temporary: Path, path: Path) -> bool:
    """Give a file that is complete a name that nobody has given yet, durably; False if somebody has.

    Raises:
        OSError: the folder cannot be written, or its file system gives no file two names.
    """
    fsync_file(temporary)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    fsync_folder(path.parent)
    return True


@contextmanager
def held(handle: int, path: Path) -> Iterator[bool]:
    """Wait for an open file's lock, say whether `path` is still that file, and let go and close it afterwards."""
    try:
        with suppress(OSError):  # where the file system knows no locks, it goes without
            fcntl.flock(handle, fcntl.LOCK_EX)
        there = False
        with suppress(FileNotFoundError):
            there = os.path.samestat(os.fstat(handle), path.stat())
        yield there
    finally:
        with suppress(OSError):  # a process forked meanwhile keeps the file open, and must not keep the lock
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what killed writers left half-written in a folder."""
    with os.scandir(folder) as entries:
        leftovers = [Path(entry.path) for entry in entries if entry.name.startswith(PARTIAL)]
    for path in leftovers:
        with suppress(OSError):  # its writer may finish at any moment, and what cannot be removed does no harm
            handle = os.open(path, os.O_RDWR)
            try:
                if _is_abandoned(handle):
                    path.unlink()
            finally:
                os.close(handle)


def _knows_locks(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)  # nobody takes the other kind of a folder
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _is_abandoned(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return time.time() - os.fstat(handle).st_mtime > ABANDONED_AFTER
    return True


@contextmanager
def _lent(handle: int, path: Path) -> Iterator[Path | None]:
    """Yield the path of an open file while its lock is held, None if it no longer lies there; it is gone afterwards."""
    with held(handle, path) as there:
        if there:
            os.fchmod(handle, 0o644)  # mkstemp keeps files to oneself; a dataset is shared
        try:
            yield path if there else None
        finally:
            if there:
                path.unlink(missing_ok=True)
