"""Where a repository is written: a folder or a bucket, through fsspec, with one write that only one of many can win."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from discern.errors import PublicationError
from edge_runtime.files import fsync_folder, write_atomically


class Storage:
    """Files below one URL.

    Args:
        url: a folder, or an address that fsspec knows, such as s3://bucket/releases.

    Raises:
        PublicationError: fsspec cannot open it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError, OSError) as error:
            raise PublicationError(f"{url} cannot be opened ({error}): name a folder or an s3:// address.") from None
        self._fs: Any = fs
        self._root = str(root).rstrip("/")
        self._local = isinstance(fs, LocalFileSystem)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, or None where there is no such file."""
        try:
            return bytes(self._fs.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def size(self, name: str) -> int | None:
        """Return a file's length in bytes, or None where there is no such file."""
        try:
            return int(self._fs.size(self._path(name)))
        except FileNotFoundError:
            return None

    def age(self, name: str) -> float:
        """Return how many seconds ago a file was written."""
        when: datetime = self._fs.modified(self._path(name))
        if when.tzinfo is None:
            when = when.replace(tzinfo=timezone.utc)
        return (datetime.now(timezone.utc) - when).total_seconds()

    def replace(self, name: str, data: bytes) -> None:
        """Write a file; readers see the old content or the new one."""
        if self._local:
            write_atomically(Path(self._path(name)), data)
        else:
            self._fs.pipe_file(self._path(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless it exists; of several that try at once, one gets True."""
        if self._local:
            return _create_locally(Path(self._path(name)), data)
        try:
            self._fs.pipe_file(self._path(name), data, mode="create")
        except OSError:  # fsspec maps the refused precondition to several of them
            if self.size(name) is None:
                raise
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._fs.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def _create_locally(path: Path, data: bytes) -> bool:
    """A hard link fails where the name exists, and the name appears with its whole content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        Path(temporary).unlink()
    fsync_folder(path.parent)
    return True
