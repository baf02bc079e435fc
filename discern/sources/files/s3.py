"""Objects below a prefix of a bucket, or members of a zip archive in one, as a tree of files.

Rules kept:
- a key is a path: one that could not be, or would lead elsewhere, is refused;
- what is kept of an object is its path and its stamp: there may be millions;
- of an archive, the blocks that are needed are fetched, and few are kept.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import BinaryIO, cast

from discern.errors import DataError
from discern.sources.files.local import ZipTree
from discern.sources.files.s3_client import Bucket, Listed
from discern.sources.files.tree import READ_LIMIT, Tree, has_litter, hash_listing, leads_out

BLOCK = 1 << 20  # bytes of an archive that are fetched at once
BLOCKS = 64  # that are kept


def open_s3_tree(location: str, encoding: str | None = None) -> Tree:
    """Open `s3://bucket/prefix`, or `s3://bucket/key.zip`, whose names may be in `encoding`.

    Raises:
        DataError: it is missing, empty, unsafe, damaged or out of reach.
    """
    name, _, key = location.removeprefix("s3://").partition("/")
    if location.lower().endswith(".zip") and key:
        bucket = Bucket(name, location)
        archive = bucket.find(key)
        return ZipTree(location, open_object(bucket, archive), archive.size, encoding)
    return S3Tree(location)


class S3Tree:
    """Objects below a prefix.

    Args:
        location: `s3://bucket/prefix`; the prefix ends where a folder would.

    Raises:
        DataError: there are none, or they cannot be listed.
    """

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        name, _, prefix = self.location.removeprefix("s3://").partition("/")
        self.name = self.location.rpartition("/")[2]
        self._prefix = f"{prefix}/" if prefix else ""
        self._bucket = Bucket(name, self.location)
        self._stamps: Mapping[str, str] = dict(sorted(self._listing()))
        self.files = tuple(self._stamps)
        if not self.files:
            raise DataError(f"{self.location} holds no objects: correct the address, or upload the files.")

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """The content of one object."""
        size, etag = self._stamps[path].split(" ", 1)
        listed = Listed(self._prefix + path, int(size), etag, f"{self.location}/{path}")
        return self._bucket.read(listed, 0, min(listed.size, limit))

    def stamp(self, path: str) -> str:
        """Size and ETag."""
        return self._stamps[path]

    def fingerprint(self) -> str:
        """A hash of all paths and stamps."""
        return hash_listing(list(self._stamps.items()))

    def _listing(self) -> Iterator[tuple[str, str]]:
        for key, size, etag in self._bucket.objects(self._prefix):
            path = key[len(self._prefix) :]
            if path.endswith("/") or not path:  # what consoles make where somebody asks for a folder
                continue
            if leads_out(path) or "" in path.split("/"):
                raise DataError(
                    f"{self.location} holds {key!r}, a key that is no path below it (empty parts, backslashes, ..): "
                    "rename the object."
                )
            if not has_litter(path):
                yield path, f"{size} {etag}"


def open_object(bucket: Bucket, listed: Listed) -> BinaryIO:
    """Return an object as a file that can be read anywhere in it, by one thread at a time."""
    return cast("BinaryIO", io.BufferedReader(_Blocks(bucket, listed)))


class _Blocks(io.RawIOBase):
    """An object, block by block."""

    def __init__(self, bucket: Bucket, listed: Listed) -> None:
        self._size = listed.size
        self._at = 0
        self._block = lru_cache(BLOCKS)(
            lambda number: bucket.read(listed, number * BLOCK, min((number + 1) * BLOCK, listed.size))
        )

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError(f"there is nothing {-start - offset} bytes before the start")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self._size:
            return 0
        number, start = divmod(self._at, BLOCK)
        piece = self._block(number)[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
