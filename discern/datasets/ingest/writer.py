"""Pictures on their way into shards."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pyarrow as pa

from discern.datasets.ingest.image_facts import ImageFacts
from discern.datasets.ingest.journal import Journal
from discern.datasets.ingest.reuse import KNOWN
from discern.datasets.shards import ShardStore
from discern.sources.base import Photo


@dataclass(frozen=True)
class ShardLimits:
    """When a shard is full, whichever comes first."""

    max_bytes: int = 64 * 1024 * 1024  # bytes of encoded images
    max_photos: int = 8192


class PictureWriter:
    """Collects pictures and writes a shard, and a line of the journal, whenever one is full.

    Args:
        store: where shards go.
        limits: how large they get.
        journal: notes what is whole.
    """

    def __init__(self, store: ShardStore, limits: ShardLimits, journal: Journal) -> None:
        self._store, self._limits, self._journal = store, limits, journal
        self._images: list[bytes] = []
        self._rows: list[dict[str, object]] = []
        self._bytes = 0
        self._written = [KNOWN.empty_table()]

    def add(self, data: bytes, facts: ImageFacts, photo: Photo) -> None:
        """Take one picture.

        Raises:
            DataError: a shard cannot be written.
        """
        full = self._bytes + len(data) > self._limits.max_bytes or len(self._images) >= self._limits.max_photos
        if self._images and full:
            self.flush()
        self._rows.append({"name": photo.name, "stamp": photo.stamp, "row": len(self._images), **asdict(facts)})
        self._images.append(data)
        self._bytes += len(data)

    def flush(self) -> None:
        """Write what is pending.

        Raises:
            DataError: it cannot be written.
        """
        if not self._images:
            return
        shard, created = self._store.write(self._images)
        rows = pa.Table.from_pylist([{**row, "shard": shard} for row in self._rows], KNOWN)
        self._journal.add(shard, rows, created=created)
        self._written.append(rows)
        self._images, self._rows, self._bytes = [], [], 0

    def table(self) -> pa.Table:
        """The facts of all pictures that were written, in order, rows of `KNOWN`."""
        return pa.concat_tables(self._written)
