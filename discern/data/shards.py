"""Immutable Arrow shards of encoded images, named by the sha256 of their content.

Rules kept:
- a shard appears under its name whole or not at all, and is never written again;
- a shard that came over a network is checked against its name before it is read;
- a remote shard is fetched once into a local folder, and read from there through a memory map.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import fsspec
import pyarrow as pa
from botocore.exceptions import BotoCoreError
from fsspec.implementations.local import LocalFileSystem

from discern.data.files import atomic, scratch, settle
from discern.errors import DataError

SCHEMA = pa.schema([pa.field("image", pa.binary(), nullable=False)])
FETCHES_AT_ONCE = 8  # shards are large: more connections than this no longer help
_UNREACHABLE = (OSError, BotoCoreError)


def cache_folder() -> Path:
    """Where shards of remote stores are kept: $DISCERN_CACHE, or ~/.cache/discern/shards."""
    return Path(os.environ.get("DISCERN_CACHE") or Path.home() / ".cache/discern/shards")


class ShardStore:
    """A folder, or a bucket's prefix, of shards.

    Args:
        url: a local path or a URL that fsspec knows (`s3://bucket/datasets/shards`; AWS_ENDPOINT_URL is honoured).
    """

    def __init__(self, url: str) -> None:
        try:
            self.files, self.root = fsspec.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise DataError(f"{url} is no place for shards ({error}): give a folder or an s3:// address.") from None
        self.is_local = isinstance(self.files, LocalFileSystem)
        self.url = self.root if self.is_local else url.rstrip("/")

    def write(self, images: Sequence[bytes]) -> tuple[str, bool]:
        """Store one shard.

        Returns:
            Its name, and whether it is new; an equal shard that is there already is left as it is.

        Raises:
            DataError: the place cannot be written.
        """
        try:
            with scratch(self._home()) as temporary:
                _write_arrow(temporary, images)
                name = _digest(temporary)
                new = not self.files.exists(self._place(name))
                if new and not self.is_local:
                    self.files.put_file(str(temporary), self._place(name))
                if new or not self.is_local:  # what was just uploaded need not be fetched
                    settle(temporary, self._home() / f"{name}.arrow")
        except _UNREACHABLE as error:
            raise DataError(f"no shard could be written to {self.url} ({_reason(error)}): {_MEND_PLACE}.") from error
        return name, new

    def remove(self, names: Iterable[str]) -> None:
        """Take back shards that nothing refers to, as far as the place can be reached."""
        for name in names:
            with suppress(*_UNREACHABLE):  # this follows an error, which says more than one from here would
                self.files.rm_file(self._place(name))

    def images(self, name: str) -> pa.BinaryArray:
        """The images of one shard, memory-mapped; a remote shard is fetched first if it never was.

        Raises:
            DataError: the shard is missing, damaged or out of reach.
        """
        return _mapped(self._local(name))

    def fetch(self, names: Iterable[str]) -> None:
        """Bring shards to this machine, several at once; those that are here cost nothing.

        Raises:
            DataError: as `images`.
        """
        with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
            list(pool.map(self._local, names))

    def _home(self) -> Path:
        """Where this machine keeps the store's shards."""
        return Path(self.root) if self.is_local else cache_folder()

    def _place(self, name: str) -> str:
        return f"{self.root}/{name}.arrow"

    def _local(self, name: str) -> Path:
        path = self._home() / f"{name}.arrow"
        if not self.is_local and not path.exists():
            self._download(name, path)
        return path

    def _download(self, name: str, path: Path) -> None:
        try:
            with atomic(path) as temporary:
                self.files.get_file(self._place(name), str(temporary))
                if _digest(temporary) != name:
                    raise DataError(f"{self.url}/{name}.arrow is not what its name says: restore it from a copy.")
        except FileNotFoundError:
            raise DataError(_missing(f"{self.url}/{name}.arrow")) from None
        except _UNREACHABLE as error:
            raise DataError(f"{self.url}/{name}.arrow cannot be fetched ({_reason(error)}): {_MEND_PLACE}.") from error


_MEND_PLACE = "check the address, the credentials and the free space, and run again"


@lru_cache(maxsize=4096)
def _mapped(path: Path) -> pa.BinaryArray:
    try:
        with pa.memory_map(str(path)) as source:
            column = pa.ipc.open_file(source).get_batch(0).column(0)
        column.validate(full=True)
    except FileNotFoundError:
        raise DataError(_missing(str(path))) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is damaged ({error}): restore it from a copy, or ingest the photos again.") from None
    return column


def _write_arrow(path: Path, images: Sequence[bytes]) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(pa.record_batch([pa.array(images, pa.binary())], schema=SCHEMA))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(place: str) -> str:
    return f"{place} is missing: the dataset version needs it, so restore it from a copy or ingest the photos again."


def _reason(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__
