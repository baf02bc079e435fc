"""Manifests without photos, for the tests of what reads nothing else, and stored manifests of earlier formats."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from discern.datasets.manifest import SCHEMA, DatasetVersion
from edge_runtime.core.images import Box

SIDE = 100  # pixels, of every picture
FIXTURES = Path(__file__).parent / "fixtures"
# Types as the fixtures name them, by the formats of then.
TYPES = {
    "string": pa.string(),
    "int32": pa.int32(),
    "uint64": pa.uint64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "list<element: double>": pa.list_(pa.float64()),
    "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
}


class Thing(NamedTuple):
    """One row."""

    picture: str
    label: str | None
    source: str = ""
    box: Box | None = None
    margin: float = 0.0
    split: str | None = "train"
    role: str | None = "gallery"
    group: str | None = None
    captured_at: datetime | None = None
    row_kind: str = "instance"
    labelled_by: str | None = None
    label_method: str | None = "import"
    labelled_at: datetime | None = None
    confidence: float | None = None
    device: str | None = None
    release: str | None = None


def empty(picture: str, split: str = "train", **values: Any) -> Thing:
    """An empty image."""
    return Thing(picture, None, split=split, role=None, row_kind="empty", **values)


def unlabelled(picture: str, **values: Any) -> Thing:
    """An unlabelled image."""
    return Thing(picture, None, split=None, role=None, row_kind="unlabelled", label_method=None, **values)


def version(*things: Thing) -> DatasetVersion:
    """A version of some rows, whose shards do not exist."""
    return DatasetVersion.of_rows(pa.table(_columns(things), schema=SCHEMA), "nowhere")


def _columns(things: Sequence[Thing]) -> dict[str, list[Any]]:
    stated = {name: [getattr(thing, name) for thing in things] for name in Thing._fields if name in SCHEMA.names}
    stated |= {
        "sha256": [hashlib.sha256(thing.picture.encode()).hexdigest() for thing in things],
        "source": [thing.source or f"mine/{thing.label}/{thing.picture}.jpg" for thing in things],
        "row": list(range(len(things))),
    }
    fixed = {"shard": "0", "width": SIDE, "height": SIDE, "brightness": 0.5, "sharpness": 1.0, "phash": 0}
    return {name: stated.get(name) or [fixed.get(name)] * len(things) for name in SCHEMA.names}


def fixture(format_number: int) -> Mapping[str, Any]:
    """A tiny version that the software of then wrote: its id, its manifest's schema, texts and rows, and its shards."""
    stored: Mapping[str, Any] = json.loads((FIXTURES / f"format_{format_number}.json").read_text())
    return stored


def fixture_table(stored: Mapping[str, Any]) -> pa.Table:
    """The rows of a fixture's manifest, in the schema of then."""
    schema = pa.schema([pa.field(name, TYPES[kind], nullable=nullable) for name, kind, nullable in stored["schema"]])
    columns = zip(*stored["rows"], strict=True)
    arrays = [
        pa.array(list(map(_moment, values)) if pa.types.is_timestamp(column.type) else list(values), column.type)
        for column, values in zip(schema, columns, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def plant_fixture(format_number: int, folder: Path) -> Path:
    """Write a fixture's manifest as Parquet and its shards; return the path of the manifest."""
    stored = fixture(format_number)
    shards = folder / "shards"
    shards.mkdir(parents=True)
    for name, content in stored["shards"].items():
        (shards / f"{name}.arrow").write_bytes(base64.b64decode(content))
    metadata = stored["metadata"] | {"discern.shards": str(shards)}
    buffer = io.BytesIO()
    pq.write_table(fixture_table(stored).replace_schema_metadata(metadata), buffer, compression="zstd")
    (folder / "manifest.parquet").write_bytes(buffer.getvalue())
    return folder / "manifest.parquet"


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
