"""Writing one file, in a folder or in a bucket, so that a reader sees all of it or none of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from edge_runtime.files import write_atomically


def open_place(url: str) -> tuple[Any, str]:
    """The filesystem of `url` and the path in it; what others write to a bucket is seen at once."""
    filesystem, path = fsspec.url_to_fs(url, use_listings_cache=False)
    return filesystem, str(path)


def write_file(url: str, data: bytes) -> None:
    """Write `data` to a path or an s3:// address, making the folders above it.

    Raises:
        OSError: it cannot be written; what was there is unchanged.
    """
    filesystem, path = open_place(url)
    if isinstance(filesystem, LocalFileSystem):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(path), data)
    else:
        filesystem.pipe_file(path, data)
