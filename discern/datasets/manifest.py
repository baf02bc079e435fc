"""The dataset version: a small table that names photos, over immutable shards that hold them.

A version is a manifest (one row an image) and the shards it refers to. Shards are named by their content and shared by
versions; the manifest is what ZenML carries from pipeline to pipeline. Nothing here changes a version: `write_version`
makes one, `DatasetVersion` reads it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from discern.datasets.shards import ShardStore
from discern.errors import DataError
from discern.storage.atomic import atomic
from edge_runtime.core.images import Box, Pixels, crop, decode

# What a version says; its id is a hash of these.
_CONTENT = [
    pa.field("sha256", pa.string(), nullable=False),  # of the encoded image
    pa.field("label", pa.string(), nullable=False),
    pa.field("box", pa.list_(pa.float64())),  # left, top, right, bottom: pixels of the upright picture
    pa.field("margin", pa.float64(), nullable=False),  # shown around the box, as a share of its sides
    pa.field("split", pa.string(), nullable=False),  # train, validation or test
    pa.field("role", pa.string(), nullable=False),  # gallery or query
    pa.field("source", pa.string(), nullable=False),  # name of the source, a slash, name of the photo in it
    pa.field("group", pa.string()),
    pa.field("captured_at", pa.timestamp("us", tz="UTC")),
]
# Where images lie, and what follows from the rest.
_DERIVED = [
    pa.field("shard", pa.string(), nullable=False),  # sha256 of the shard
    pa.field("row", pa.int32(), nullable=False),  # the image's place in its shard
    pa.field("stamp", pa.string()),  # of the photo in its source: while it stays, the photo need not be read again
    pa.field("width", pa.int32(), nullable=False),  # pixels of the upright picture
    pa.field("height", pa.int32(), nullable=False),
    pa.field("brightness", pa.float32(), nullable=False),  # mean luma, 0 to 1
    pa.field("sharpness", pa.float32(), nullable=False),  # see discern.datasets.ingest.image_facts
    pa.field("phash", pa.uint64(), nullable=False),  # perceptual hash of the upright picture
    pa.field("near_duplicates", pa.string()),  # what photos of (nearly) the same picture share
    pa.field("lookalike", pa.string()),  # a photo of another class that shows nearly the same
    pa.field("session", pa.string()),  # what photos of one class taken shortly after each other share
]
SCHEMA = pa.schema(_CONTENT + _DERIVED)
CONTENT = tuple(field.name for field in _CONTENT)
COLUMNS = tuple(SCHEMA.names)
FORMAT = "discern dataset version 2"
_FORMAT_KEY, _SHARDS_KEY = b"discern.format", b"discern.shards"
_SPLITS_KEY, _CLEANING_KEY = b"discern.splits", b"discern.cleaning"


@dataclass(frozen=True)
class DatasetVersion:
    """Labelled photos that never change.

    Args:
        table: the manifest, columns as in `COLUMNS`.
        shards: fsspec URL or path of the folder of shards.
        splits: JSON of the config by which photos were split, so that a version that grows from this one can tell
            whether that is still what is asked for; likewise the next.
        cleaning: JSON of the limits of near-duplicates.
    """

    table: pa.Table
    shards: str
    splits: str = ""
    cleaning: str = ""

    @cached_property
    def id(self) -> str:
        """16 hex digits of what it says: the columns `CONTENT` of every row, in order."""
        digest = hashlib.sha256(FORMAT.encode())
        for name in CONTENT:
            digest.update(json.dumps([name, self.column(name)], default=str).encode())
        return digest.hexdigest()[:16]

    @property
    def labels(self) -> list[str]:
        """The classes, sorted."""
        return sorted(pc.unique(self.table["label"]).to_pylist())

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def select(
        self, split: str | None = None, role: str | None = None, labels: Collection[str] | None = None
    ) -> DatasetVersion:
        """The rows of one split, one role and some classes; the order stays."""
        table = self.table
        if split is not None:
            table = table.filter(pc.equal(table["split"], split))
        if role is not None:
            table = table.filter(pc.equal(table["role"], role))
        if labels is not None:
            table = table.filter(pc.is_in(table["label"], pa.array(sorted(labels), pa.string())))
        return replace(self, table=table)

    def take(self, rows: Collection[int]) -> DatasetVersion:
        """Some rows, in the order given."""
        return replace(self, table=self.table.take(pa.array(list(rows), pa.int64())))

    def column(self, name: str) -> list[Any]:
        """One column as a list."""
        values: list[Any] = self.table[name].to_pylist()
        return values

    def fetch(self) -> None:
        """Bring all shards to this machine, in parallel; call it before worker processes start.

        Raises:
            DataError: a shard is missing, altered or out of reach.
        """
        self._store.fetch(pc.unique(self.table["shard"]).to_pylist())

    def image_bytes(self, i: int) -> bytes:
        """The encoded image of row `i`, as its source held it.

        Raises:
            DataError: its shard is missing, damaged or out of reach.
        """
        names, numbers, rows = self._places
        data: bytes = self._store.images(names[numbers[i]])[int(rows[i])].as_py()
        return data

    def pixels(self, i: int) -> Pixels:
        """The photo of row `i`: uint8 [H, W, 3], upright RGB, cropped by its box.

        Raises:
            DataError: its shard is missing, damaged or out of reach.
        """
        rgb = decode(self.image_bytes(i), self.table["source"][i].as_py())
        box = self.table["box"][i].as_py()
        return rgb if box is None else crop(rgb, widen(box, self.table["margin"][i].as_py()))

    @cached_property
    def _places(self) -> tuple[list[str], NDArray[np.int32], NDArray[np.int32]]:
        """Names of the shards, the number of each row's shard among them, and each row's place there: a look at a table
        takes longer than decoding a small photo.
        """
        shards = self.table["shard"].combine_chunks().dictionary_encode()
        return shards.dictionary.to_pylist(), shards.indices.to_numpy(), self.table["row"].to_numpy()

    @cached_property
    def _store(self) -> ShardStore:
        return ShardStore(self.shards)

    def __getstate__(self) -> dict[str, object]:
        """Leave what is cached, open files among it, out of what other processes get."""
        return {"table": self.table, "shards": self.shards, "splits": self.splits, "cleaning": self.cleaning}


def widen(box: Sequence[float], margin: float) -> Box:
    """A box (left, top, right, bottom) with `margin` of its width and height added on each side."""
    left, top, right, bottom = box
    x, y = margin * (right - left), margin * (bottom - top)
    return left - x, top - y, right + x, bottom + y


def save_manifest(version: DatasetVersion, where: Path | str | BinaryIO) -> None:
    """Write the manifest as Parquet to a local path, atomically, or into an open file.

    Raises:
        DataError: the path cannot be written.
    """
    metadata = {
        _FORMAT_KEY: FORMAT.encode(),
        _SHARDS_KEY: version.shards.encode(),
        _SPLITS_KEY: version.splits.encode(),
        _CLEANING_KEY: version.cleaning.encode(),
    }
    table = version.table.replace_schema_metadata(metadata)
    if not isinstance(where, (Path, str)):
        buffer = io.BytesIO()  # Parquet asks its sink for more than remote files offer
        pq.write_table(table, buffer, compression="zstd")
        where.write(buffer.getvalue())
        return
    try:
        with atomic(Path(where)) as temporary:
            pq.write_table(table, temporary, compression="zstd")
    except OSError as error:
        raise DataError(f"the manifest cannot be written to {where} ({error}): choose another place.") from error


def load_manifest(where: Path | str | BinaryIO) -> DatasetVersion:
    """Read a manifest that `save_manifest` wrote.

    Raises:
        DataError: it is missing, damaged, or not a manifest of this format.
    """
    name = str(getattr(where, "name", where))
    try:
        data = Path(where).read_bytes() if isinstance(where, (Path, str)) else where.read()
        table = pq.read_table(io.BytesIO(data))
    except FileNotFoundError:
        raise DataError(f"{name} does not exist: give the path of a dataset version's manifest.") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} is no readable manifest ({error}): restore it from a copy.") from None
    metadata = table.schema.metadata or {}
    if metadata.get(_FORMAT_KEY) != FORMAT.encode() or _SHARDS_KEY not in metadata:
        raise DataError(f"{name} is not a manifest of the format {FORMAT!r}: make the dataset version again.")
    texts = (metadata.get(key, b"").decode() for key in (_SHARDS_KEY, _SPLITS_KEY, _CLEANING_KEY))
    return DatasetVersion(table.replace_schema_metadata(None).cast(SCHEMA), *texts)
