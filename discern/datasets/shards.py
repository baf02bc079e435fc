"""Immutable Arrow shards of encoded images, named by the sha256 of their content.

Rules kept:
- a shard appears under its name whole or not at all, and is never written again;
- a shard that came over a network is checked against its name before it is read;
- a remote shard is fetched once into a local folder, whoever asks for it, and read from there through a memory map;
- shards reach a remote store when the version that needs them is complete, and none is ever removed from there;
- a local shard that two writers rely on is read-only, and neither takes it back.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
from aiohttp import ClientError
from botocore.exceptions import BotoCoreError
from fsspec.implementations.local import LocalFileSystem

from discern.errors import DataError
from discern.map_ahead import map_ahead
from discern.storage.atomic import held, one_at_a_time, scratch, settle, settle_new

SCHEMA = pa.schema([pa.field("image", pa.binary(), nullable=False)])
FETCHES_AT_ONCE = 8  # shards are large: more connections than this no longer help
UPLOADS_AT_ONCE = 4  # each holds its shard in memory
SHARED = 0o444  # the mode of a shard that more than its first writer relies on
_UNREACHABLE = (OSError, BotoCoreError, ClientError)


def cache_folder() -> Path:
    """Where shards of remote stores are kept: $DISCERN_CACHE, or ~/.cache/discern/shards."""
    return Path(os.environ.get("DISCERN_CACHE") or Path.home() / ".cache/discern/shards")


class ShardStore:
    """A folder, or a bucket's prefix, of shards.

    Args:
        url: a local path or a URL that fsspec knows (`s3://bucket/datasets/shards`; AWS_ENDPOINT_URL is honoured).
    """

    def __init__(self, url: str) -> None:
        self._address = url
        self._open()
        self.is_local = isinstance(self.files, LocalFileSystem)
        self.url = self.root if self.is_local else url.rstrip("/")
        self._writable = self.is_local
        self._columns: dict[str, pa.BinaryArray] = {}

    def write(self, images: Sequence[bytes]) -> tuple[str, bool]:
        """Keep one shard on this machine; one of a remote store is also to be published.

        Returns:
            Its name, and whether it is new here; an equal shard that is here already is left as it is.

        Raises:
            DataError: the place cannot be written.
        """
        try:
            self._check_writable()
            with scratch(self.home) as temporary:
                _write_arrow(temporary, images)
                name = _digest(temporary)
                return name, _keep(temporary, self.home / f"{name}.arrow")
        except _UNREACHABLE as error:
            raise DataError(f"no shard could be written to {self.url} ({_reason(error)}): {_MEND_PLACE}.") from error

    def publish(self, names: Iterable[str]) -> None:
        """Upload shards that were written here, several at once, for other machines; those that are there cost nothing.

        Call it when the version is complete: what was uploaded stays. After an error, call it again.

        Raises:
            DataError: the place cannot be written.
        """
        if not self.is_local:
            _each(self._upload, names, UPLOADS_AT_ONCE)

    def remove(self, names: Iterable[str]) -> None:
        """Take back shards that were new when they were written, except those that somebody else came to rely on."""
        for name in names:
            with suppress(OSError):  # this follows an error, which says more than one from here would
                _take_back(self.home / f"{name}.arrow")

    def images(self, name: str) -> pa.BinaryArray:
        """The images of one shard, memory-mapped; a remote shard is fetched first if it never was.

        Raises:
            DataError: the shard is missing, damaged or out of reach.
        """
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = _mapped(self._local(name))
        return column

    def fetch(self, names: Iterable[str]) -> None:
        """Bring shards to this machine, several at once; those that are here cost nothing.

        Raises:
            DataError: as `images`.
        """
        _each(self._local, names, FETCHES_AT_ONCE)

    @property
    def files(self) -> Any:
        """The file system, fit for this process: connections do not survive a fork."""
        if self._process != os.getpid():
            self._open()
        return self._files

    def _open(self) -> None:
        try:
            self._files, self.root = fsspec.url_to_fs(self._address, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise DataError(
                f"{self._address} is no place for shards ({error}): give a folder or an s3:// address."
            ) from None
        self._process = os.getpid()

    @property
    def home(self) -> Path:
        """Where this machine keeps the store's shards."""
        return Path(self.root) if self.is_local else cache_folder()

    def _place(self, name: str) -> str:
        return f"{self.root}/{name}.arrow"

    def _check_writable(self) -> None:
        """Try a remote place before hours of reading photos, not after: an empty object goes there and away again."""
        if self._writable:
            return
        self.files.pipe_file(f"{self.root}/.writable", b"")
        with suppress(PermissionError):  # who may write need not be one who may delete
            self.files.rm_file(f"{self.root}/.writable")
        self._writable = True

    def _upload(self, name: str) -> None:
        path = self.home / f"{name}.arrow"
        if not path.exists():
            raise DataError(_missing(str(path)))
        try:
            if not self.files.exists(self._place(name)):
                self.files.put_file(str(path), self._place(name))
        except _UNREACHABLE as error:
            raise DataError(f"{self.url}/{name}.arrow cannot be written ({_reason(error)}): {_MEND_PLACE}.") from error

    def _local(self, name: str) -> Path:
        path = self.home / f"{name}.arrow"
        if not self.is_local and not path.exists():
            self._download(name, path)
        return path

    def _download(self, name: str, path: Path) -> None:
        # Asked for a large object in parts, s3fs first asks for it whole and drops the answer.
        options = {"max_concurrency": 1} if "s3" in self.files.protocol else {}
        try:
            with one_at_a_time(path) as temporary:
                if temporary is None:
                    return
                self.files.get_file(self._place(name), str(temporary), **options)
                if _digest(temporary) != name:
                    raise DataError(f"{self.url}/{name}.arrow is not what its name says: restore it from a copy.")
                settle(temporary, path)
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


def _keep(temporary: Path, path: Path) -> bool:
    """Give a shard its name, or mark the equal one that has it as shared; returns whether it is new."""
    try:
        while not _share(path):
            if settle_new(temporary, path):
                return True
    except OSError:  # another user's, which cannot be marked, or no hard links here: a marked one takes its place
        temporary.chmod(SHARED)
        settle(temporary, path)
    return False


def _share(path: Path) -> bool:
    """Mark a shard so that nobody takes it back any more; False if it is not there (any more)."""
    try:
        if stat.S_IMODE(path.stat().st_mode) == SHARED:
            return True
        with held(handle := os.open(path, os.O_RDWR), path) as there:
            if there:
                os.fchmod(handle, SHARED)
            return there
    except FileNotFoundError:
        return False


def _take_back(path: Path) -> None:
    with held(handle := os.open(path, os.O_RDWR), path) as there:
        if there and stat.S_IMODE(os.fstat(handle).st_mode) != SHARED:
            path.unlink()


def _each(work: Callable[[str], object], names: Iterable[str], at_once: int) -> None:
    """Do something for each name, several at once, up to the first error."""
    for _ in map_ahead(work, names, workers=at_once):
        pass


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
