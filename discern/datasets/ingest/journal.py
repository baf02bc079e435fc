"""What a run has read so far, so that the next one goes on where it was interrupted.

Beside the shards on this machine lies a folder for each source that is being read, with one file for each shard that is
whole: the facts of its pictures, by the names and stamps of their photos.

Rules kept:
- a file is there whole or not at all, and says nothing of a shard that is not there;
- when a version is complete its journal is gone;
- what nobody went on with for `KEPT_FOR` is given up, with its shards where no other run came to rely on them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from discern.datasets.ingest.reuse import KNOWN
from discern.datasets.shards import ShardStore
from discern.errors import DataError
from discern.storage.atomic import atomic

FOLDER = ".reading"
KEPT_FOR = 7 * 86_400.0  # seconds since something was added
_CREATED = b"discern.created"


class Journal:
    """The journal of one source.

    Args:
        store: the shards.
        source: name of the source.
    """

    def __init__(self, store: ShardStore, source: str) -> None:
        self._store = store
        self._all = store.home / FOLDER
        self._folder = self._all / hashlib.sha256(f"{store.url}\0{source}".encode()).hexdigest()[:16]

    def load(self) -> pa.Table:
        """Rows of `KNOWN` that an interrupted run of this source left; they are in use from now on."""
        if self._folder.is_dir():
            os.utime(self._folder)
        tables = [
            table.cast(KNOWN)
            for path, table in _entries(self._folder)
            if (self._store.home / f"{path.stem}.arrow").exists() and table.schema.names == KNOWN.names
        ]  # an earlier release of this software noted less: its photos are read again
        return pa.concat_tables([KNOWN.empty_table(), *tables])

    def add(self, shard: str, rows: pa.Table, *, created: bool) -> None:
        """Note that a shard is whole.

        Args:
            shard: its name.
            rows: the facts of its pictures, rows of `KNOWN`.
            created: it was not there before.

        Raises:
            DataError: the place cannot be written.
        """
        marked = rows.replace_schema_metadata({_CREATED: str(int(created)).encode()})
        try:
            try:
                self._write(shard, marked)
            except FileNotFoundError:  # another run of this source has finished, and cleared the folder
                self._write(shard, marked)
        except OSError as error:
            raise DataError(
                f"{self._folder} cannot be written ({error.strerror}): check the free space, and run again."
            ) from error

    def _write(self, shard: str, rows: pa.Table) -> None:
        with atomic(self._folder / f"{shard}.parquet") as temporary:
            pq.write_table(rows, temporary)

    def clear(self) -> None:
        """The version is complete."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):  # other sources may be being read
            self._all.rmdir()

    def give_up_old(self) -> None:
        """Take back what other interrupted runs left long ago."""
        with suppress(FileNotFoundError):  # other runs give up and clear as well
            for folder in self._all.iterdir():
                if folder != self._folder and time.time() - _last_use(folder) > KEPT_FOR:
                    self._store.remove(path.stem for path, table in _entries(folder) if _was_created(table))
                    shutil.rmtree(folder, ignore_errors=True)


def _last_use(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.glob("*.parquet")))


def _entries(folder: Path) -> Iterator[tuple[Path, pa.Table]]:
    for path in sorted(folder.glob("*.parquet")):
        with suppress(
            OSError, pa.ArrowException
        ):  # cleared by another run, or damaged: it is read from the source again
            yield path, pq.read_table(path)


def _was_created(table: pa.Table) -> bool:
    return (table.schema.metadata or {}).get(_CREATED) == b"1"
