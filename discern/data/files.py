"""Writing a file so that a reader sees all of it or none of it, wherever the power fails."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.files import fsync_file, fsync_folder


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

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".partial-", dir=folder)
    os.fchmod(handle, 0o644)  # mkstemp keeps files to oneself; a dataset is shared
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def settle(temporary: Path, path: Path) -> None:
    """Give a file that is complete its name, durably."""
    fsync_file(temporary)
    temporary.replace(path)
    fsync_folder(path.parent)
