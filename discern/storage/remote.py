"""Files in a folder or in a bucket: a reader sees all of a file or none of it, and of many that create it one wins.

Rules kept:
- changes by others are seen at once: nothing is listed from a cache;
- a file is replaced, never written over, and locally it is on the disk before its name is;
- `create` never replaces: in a folder a hard link decides who was first, in a bucket the server does;
- `replace_if` replaces what the writer read, and nothing else (`discern.storage.conditional`).
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from discern.storage.atomic import scratch, settle_new
from discern.storage.conditional import BucketReplacer, replace_in_folder
from edge_runtime.files import write_atomically


def open_place(url: str) -> tuple[Any, str]:
    """Return the filesystem of `url` and the path in it; what others write to a bucket is seen at once."""
    filesystem, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return filesystem, str(path)


def write_file(url: str, data: bytes) -> None:
    """Write `data` to a path or an s3:// address, making the folders above it.

    Raises:
        OSError: it cannot be written; what was there is unchanged.
    """
    _replace(*open_place(url), data)


@dataclass(frozen=True)
class StoredFile:
    """What is known of a file without reading it: its length in bytes, and how many seconds ago it was written."""

    bytes: int
    age: float


class Storage:
    """Files below one URL.

    Args:
        url: a folder, or an address that fsspec knows, such as s3://bucket/releases.

    Raises:
        OSError: fsspec cannot open it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            self._filesystem, root = open_place(url)
        except (ValueError, ImportError, OSError) as error:
            raise OSError(f"{url} cannot be opened ({error}): name a folder or an s3:// address.") from None
        self._root = root.rstrip("/")
        self._replacer = BucketReplacer(self._filesystem, lambda path: _content_type(self._filesystem, path))

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, or None where there is no such file."""
        try:
            return bytes(self._filesystem.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def size(self, name: str) -> int | None:
        """Return a file's length in bytes, or None where there is no such file."""
        try:
            return int(self._filesystem.size(self._path(name)))
        except FileNotFoundError:
            return None

    def age(self, name: str) -> float:
        """Return how many seconds ago a file was written."""
        return _age(self._filesystem.modified(self._path(name)))

    def files(self, folder: str = "") -> dict[str, StoredFile]:
        """Return every file below a folder, hidden ones too, by its name."""
        found = self._filesystem.find(self._path(folder).rstrip("/"), detail=True)
        return {
            str(path)[len(self._root) + 1 :]: StoredFile(int(info["size"]), _age(_written(info)))
            for path, info in sorted(found.items())
        }

    def glob(self, pattern: str) -> list[str]:
        """Return the names of the files that match a pattern, in which `*` stands for part of one name, sorted."""
        found = self._filesystem.glob(self._path(pattern))
        return sorted(str(path)[len(self._root) + 1 :] for path in found)

    def replace(self, name: str, data: bytes) -> None:
        """Write a file; readers see the old content or the new one.

        Raises:
            OSError: it cannot be written; what was there is unchanged.
        """
        _replace(self._filesystem, self._path(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless it exists; of several that try at once, one gets True.

        Raises:
            OSError: it cannot be written.
        """
        path = self._path(name)
        if isinstance(self._filesystem, LocalFileSystem):
            return _create_locally(Path(path), data)
        try:
            self._filesystem.pipe_file(path, data, mode="create")
        except OSError:  # fsspec maps the refused precondition to several of them
            if self.size(name) is None:
                raise
            return False
        return True

    def replace_if(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Replace a file while its content is `old`, None meaning that there is none; False where it is another one.

        Of several writers that read the same and try at once, one gets True. A writer that is killed blocks nobody.

        Raises:
            OSError: it cannot be written; what was there is unchanged.
        """
        path = self._path(name)
        if isinstance(self._filesystem, LocalFileSystem):
            return replace_in_folder(Path(path), old, new)
        return self._replacer.replace(path, old, new)

    def delete(self, name: str) -> None:
        """Delete a file.

        Raises:
            OSError: it is not there, or cannot be deleted.
        """
        self._filesystem.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def _replace(filesystem: Any, path: str, data: bytes) -> None:
    if isinstance(filesystem, LocalFileSystem):
        write_atomically(Path(path), data)
    else:
        filesystem.pipe_file(path, data, **_content_type(filesystem, path))


def _content_type(filesystem: Any, path: str) -> dict[str, str]:
    """Say to S3 what a file is: a browser would otherwise save a page in place of showing it."""
    kind = mimetypes.guess_type(path)[0]
    return {"ContentType": kind} if kind and "s3" in filesystem.protocol else {}


def _create_locally(path: Path, data: bytes) -> bool:
    with scratch(path.parent) as temporary:
        temporary.write_bytes(data)
        return settle_new(temporary, path)


def _written(info: dict[str, Any]) -> datetime:
    when = info.get("LastModified", info.get("mtime", info.get("created")))
    return when if isinstance(when, datetime) else datetime.fromtimestamp(when or 0, timezone.utc)


def _age(when: datetime) -> float:
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - when).total_seconds()
