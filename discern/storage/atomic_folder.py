"""Writing a folder so that a reader sees all of it or none of it, wherever its writer is stopped.

Rules kept:
- what is being written has a name of its own beside the folder (`.partial-folder-*`), and its writer holds a lock;
- what a killed writer left there is removed by the next one: its lock is free;
- nothing that is there already is written over.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from discern.storage.atomic import PARTIAL, held
from edge_runtime.files import fsync_folder

_NAME = f"{PARTIAL}folder-"
_TEMPORARY = re.compile(re.escape(_NAME) + "[0-9a-f]{16}")  # nothing else is ever removed


def is_free(folder: Path) -> bool:
    """Return True if a folder can be made here: there is nothing, or an empty folder.

    Raises:
        OSError: it cannot be looked at.
    """
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder` when the block ends well, and is gone when it does not.

    Raises:
        OSError: it cannot be written, or something lies there meanwhile.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    while True:
        temporary = folder.with_name(f"{_NAME}{secrets.token_hex(8)}")
        temporary.mkdir()
        with held(os.open(temporary, os.O_RDONLY), temporary) as is_there:
            if not is_there:
                continue  # a sweep came between the two lines
            try:
                yield temporary
                os.sync()  # many small files at once: one by one they would take minutes
                temporary.rename(folder)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            fsync_folder(folder.parent)
            return


def _sweep(parent: Path) -> None:
    with os.scandir(parent) as entries:
        leftovers = [Path(entry.path) for entry in entries if _TEMPORARY.fullmatch(entry.name)]
    for path in leftovers:
        with suppress(OSError):  # its writer may finish at any moment, and what cannot be removed does no harm
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                shutil.rmtree(path)
            finally:
                os.close(handle)
