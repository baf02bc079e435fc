"""The dataset version: a small table that names photos, over immutable shards that hold them.

A version is a manifest and the shards it refers to. Shards are named by their content and shared by versions; the
manifest is what ZenML carries from pipeline to pipeline. Nothing here changes a version: `write_version` makes one,
`DatasetVersion` reads it.

A row of a manifest is an instance (a label, perhaps a box), an empty image (somebody looked and saw nothing; it has a
split and no role), or an unlabelled image (nobody said anything; it has neither).
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from discern.datasets.manifest_formats import FORMAT_NAME, NEWEST, StoredManifest, newest_format
from discern.datasets.shards import ShardStore
from discern.datasets.version_id import RULE, version_id
from discern.datasets.whole_images import WholeImage, whole_images
from discern.errors import DataError
from discern.sources.base import RowKind
from discern.storage.atomic import atomic
from edge_runtime.core.images import Box, Pixels, crop, decode
from edge_runtime.files import sha256_bytes

# What a version says; its id is a hash of these.
_CONTENT = [
    pa.field("sha256", pa.string(), nullable=False),  # of the encoded image
    pa.field("row_kind", pa.string(), nullable=False),  # instance, empty or unlabelled
    pa.field("label", pa.string()),  # of an instance
    pa.field("box", pa.list_(pa.float64())),  # left, top, right, bottom: pixels of the upright picture
    pa.field("margin", pa.float64(), nullable=False),  # shown around the box, as a share of its sides
    pa.field("split", pa.string()),  # train, validation or test; null in an unlabelled image
    pa.field("role", pa.string()),  # gallery or query, of an instance
    pa.field("source", pa.string(), nullable=False),  # name of the source, a slash, name of the photo in it
    pa.field("group", pa.string()),
    pa.field("captured_at", pa.timestamp("us", tz="UTC")),
    pa.field("labelled_by", pa.string()),  # for this and the next five see discern.sources.base.Provenance
    pa.field("label_method", pa.string()),  # null in an unlabelled image
    pa.field("labelled_at", pa.timestamp("us", tz="UTC")),
    pa.field("confidence", pa.float64()),
    pa.field("device", pa.string()),
    pa.field("release", pa.string()),
]
# Where images lie, and what follows from the rest. Manifests of format 1 lack the facts of their pictures; those of
# formats 2 and 3 lack the appearance, and their brightness, sharpness and hash are those of the whole picture.
_DERIVED = [
    pa.field("shard", pa.string(), nullable=False),  # sha256 of the shard
    pa.field("row", pa.int32(), nullable=False),  # the image's place in its shard
    pa.field("stamp", pa.string()),  # of the photo in its source: while it stays, the photo need not be read again
    pa.field("width", pa.int32()),  # pixels of the upright picture
    pa.field("height", pa.int32()),
    pa.field("brightness", pa.float32()),  # mean luma, 0 to 1; it and the next three are of what the row shows
    pa.field("sharpness", pa.float32()),  # see discern.datasets.ingest.image_facts
    pa.field("phash", pa.uint64()),  # perceptual hash
    pa.field("appearance", pa.binary()),  # see discern.datasets.appearance
    pa.field("near_duplicates", pa.string()),  # what photos of (nearly) the same picture share
    pa.field("lookalike", pa.string()),  # a photo of another class that shows nearly the same
    pa.field("session", pa.string()),  # what photos of one class taken shortly after each other share
]
SCHEMA = pa.schema(_CONTENT + _DERIVED)
CONTENT = tuple(column.name for column in _CONTENT)
COLUMNS = tuple(SCHEMA.names)
FORMAT = FORMAT_NAME.format(NEWEST)
_TEXTS = ("shards", "splits", "cleaning", "id_rule")  # texts beside the rows
_FORMAT_KEY = "discern.format"


@dataclass(frozen=True)
class DatasetVersion:
    """Photos that never change: their labels, splits and roles, and where they lie.

    All that takes or gives rows is about instances, so that nothing that learns or measures meets a row without a
    label; `negatives`, `unlabelled` and `images` give the others.

    Args:
        table: rows of instances, columns as in `COLUMNS`.
        shards: fsspec URL or path of the folder of shards.
        splits: JSON of the config by which photos were split, so that a version that grows from this one can tell
            whether that is still what is wanted; empty where it is not known. Likewise the next.
        cleaning: JSON of the limits of near-duplicates.
        without_instance: rows of empty and of unlabelled images, columns likewise.
        id_rule: the rule by which the id is computed (see `discern.datasets.version_id`).
    """

    table: pa.Table
    shards: str
    splits: str = ""
    cleaning: str = ""
    without_instance: pa.Table = field(default_factory=SCHEMA.empty_table)
    id_rule: int = RULE

    @classmethod
    def of_rows(
        cls, rows: pa.Table, shards: str, splits: str = "", cleaning: str = "", id_rule: int = RULE
    ) -> DatasetVersion:
        """Make a version of rows of all kinds; the order of the instances stays, and that of the others.

        Args:
            rows: columns as in `COLUMNS`.
            shards: as for the class; likewise the others.
            splits: likewise.
            cleaning: likewise.
            id_rule: likewise.
        """
        is_instance = pc.equal(rows["row_kind"], "instance")
        return cls(
            table=rows.filter(is_instance),
            shards=shards,
            splits=splits,
            cleaning=cleaning,
            without_instance=rows.filter(pc.invert(is_instance)),
            id_rule=id_rule,
        )

    @cached_property
    def id(self) -> str:
        """16 hex digits of what the rows say."""
        return version_id(self.table, self.without_instance, self.id_rule)

    @property
    def labels(self) -> list[str]:
        """The classes, sorted."""
        return sorted(label for label in pc.unique(self.table["label"]).to_pylist() if label is not None)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def select(
        self, split: str | None = None, role: str | None = None, labels: Collection[str] | None = None
    ) -> DatasetVersion:
        """The instances of one split, one role and some classes; the order stays.

        Images without an instance have neither a role nor a class: a choice of these leaves them out.
        """
        table, without_instance = self.table, self.without_instance
        if split is not None:
            table = table.filter(pc.equal(table["split"], split))
            without_instance = without_instance.filter(pc.equal(without_instance["split"], split))
        if role is not None:
            table = table.filter(pc.equal(table["role"], role))
        if labels is not None:
            table = table.filter(pc.is_in(table["label"], pa.array(sorted(labels), pa.string())))
        if role is not None or labels is not None:
            without_instance = SCHEMA.empty_table()
        return replace(self, table=table, without_instance=without_instance)

    def negatives(self, split: str | None = None) -> DatasetVersion:
        """The empty images, of one split or of all, as the rows of a version that has no labels."""
        rows = self._of_kind("empty")
        if split is not None:
            rows = rows.filter(pc.equal(rows["split"], split))
        return replace(self, table=rows, without_instance=SCHEMA.empty_table())

    def unlabelled(self) -> DatasetVersion:
        """The unlabelled images, as the rows of a version that has no labels, splits or roles."""
        return replace(self, table=self._of_kind("unlabelled"), without_instance=SCHEMA.empty_table())

    def all_rows(self) -> DatasetVersion:
        """The rows of every kind, instances first, for what only looks at them."""
        rows = pa.concat_tables([self.table, self.without_instance])
        return replace(self, table=rows, without_instance=SCHEMA.empty_table())

    def images(self, split: str | None = None) -> list[WholeImage]:
        """Each picture once, with all its instances; empty images are among them, unlabelled ones are not.

        Args:
            split: of the pictures, as `WholeImage` has it; None for all.
        """
        return [image for image in self._images if split is None or image.split == split]

    def image_pixels(self, number: int) -> Pixels:
        """The whole picture of `images()[number]`: uint8 [H, W, 3], upright RGB.

        Raises:
            DataError: its shard is missing, damaged or out of reach.
        """
        image = self._images[number]
        if image.instances:
            return decode(self.image_bytes(image.instances[0].row), image.source)
        first_empty = len(self._images) - len(self._empty)
        return decode(self._empty.image_bytes(number - first_empty), image.source)

    def take(self, rows: Collection[int]) -> DatasetVersion:
        """Some instances, in the order of `rows`; images without an instance are left out."""
        table = self.table.take(pa.array(list(rows), pa.int64()))
        return replace(self, table=table, without_instance=SCHEMA.empty_table())

    def column(self, name: str) -> list[Any]:
        """One column as a list."""
        values: list[Any] = self.table[name].to_pylist()
        return values

    def photo_ids(self) -> list[str]:
        """Return a name, 64 hex digits, of what each row shows: the SHA-256 of its picture, or of it and its box."""
        rows = zip(self.column("sha256"), self.column("box"), self.column("margin"), strict=True)
        return [
            sha256 if box is None else sha256_bytes(f"{sha256} {box} {margin}".encode()) for sha256, box, margin in rows
        ]

    def fetch(self) -> None:
        """Bring all shards to this machine, in parallel; call it before worker processes start.

        Raises:
            DataError: a shard is missing, altered or out of reach.
        """
        self._store.fetch(pc.unique(self.all_rows().table["shard"]).to_pylist())

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
        return shown(rgb, self.table["box"][i].as_py(), self.table["margin"][i].as_py())

    def _of_kind(self, kind: RowKind) -> pa.Table:
        rows = pa.concat_tables([self.table, self.without_instance])
        return rows.filter(pc.equal(rows["row_kind"], kind))

    @cached_property
    def _empty(self) -> DatasetVersion:
        return self.negatives()

    @cached_property
    def _images(self) -> tuple[WholeImage, ...]:
        instances = self.table.filter(pc.equal(self.table["row_kind"], "instance"))
        return whole_images(instances, self._empty.table)

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
        return {item.name: getattr(self, item.name) for item in fields(self)}


def shown(rgb: Pixels, box: Sequence[float] | None, margin: float) -> Pixels:
    """What a row shows of its picture, uint8 [H, W, 3]: the whole, or what its box and margin cut out."""
    return rgb if box is None else crop(rgb, widen(box, margin))


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
    metadata = {f"discern.{name}": str(getattr(version, name)) for name in _TEXTS}
    table = version.all_rows().table.replace_schema_metadata({_FORMAT_KEY: FORMAT, **metadata})
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
    """Read a manifest of any format that was ever written; the version keeps the id that it had.

    Raises:
        DataError: it is missing, damaged, no manifest, or of a format that is newer than this software.
    """
    location = str(getattr(where, "name", where))
    try:
        data = Path(where).read_bytes() if isinstance(where, (Path, str)) else where.read()
        table = pq.read_table(io.BytesIO(data))
    except FileNotFoundError:
        raise DataError(f"{location} does not exist: give the path of a dataset version's manifest.") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{location} is no readable manifest ({error}): restore it from a copy.") from None
    metadata = {key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items()}
    texts = {name: metadata[f"discern.{name}"] for name in _TEXTS if f"discern.{name}" in metadata}
    stored = StoredManifest(table.replace_schema_metadata(None), texts)
    return _version(newest_format(stored, metadata.get(_FORMAT_KEY, ""), location), location)


def _version(stored: StoredManifest, location: str) -> DatasetVersion:
    missing = [name for name in COLUMNS if name not in stored.table.schema.names]
    if missing or "shards" not in stored.texts:
        lacking = f"the column {missing[0]}" if missing else "the address of its shards"
        raise DataError(f"{location} is no whole manifest, for it lacks {lacking}: restore it from a copy.")
    return DatasetVersion.of_rows(
        stored.table.select(COLUMNS).cast(SCHEMA),
        shards=stored.texts["shards"],
        splits=stored.texts.get("splits", ""),
        cleaning=stored.texts.get("cleaning", ""),
        id_rule=int(stored.texts.get("id_rule", RULE)),
    )
