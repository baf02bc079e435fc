"""The rows of a new version as the table of its manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from discern.datasets.ingest.rows import IngestRow
from discern.datasets.ingest.ties import Ties
from discern.datasets.manifest import SCHEMA
from discern.sources.base import PROVENANCE, UNSTATED, Role, Split


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A row that is in the version.

    Args:
        ingested: the row as it was read.
        split: train, validation or test; None of an unlabelled image.
        role: gallery or query, of an instance.
        ties: its near-duplicates and its session.
        lookalike: name of a photo of another class that shows nearly the same, or None.
    """

    ingested: IngestRow
    split: Split | None
    role: Role | None
    ties: Ties
    lookalike: str | None


def _label_method(row: VersionRow) -> str | None:
    """The means of labelling; a label whose means nobody stated came with the data."""
    if row.ingested.kind == "unlabelled":
        return None
    return row.ingested.provenance.label_method or "import"


# The value of each column that is no fact of the picture, and not the photo's name.
_VALUES: Mapping[str, Callable[[VersionRow], object]] = {
    "row_kind": lambda row: row.ingested.kind,
    "label": lambda row: row.ingested.label,
    "box": lambda row: row.ingested.box,
    "margin": lambda row: row.ingested.photo.margin,
    "split": lambda row: row.split,
    "role": lambda row: row.role,
    "group": lambda row: row.ingested.photo.group,
    "captured_at": lambda row: row.ingested.captured_at,
    "label_method": _label_method,
    "stamp": lambda row: row.ingested.photo.stamp,
    "near_duplicates": lambda row: row.ties.near_duplicates,
    "session": lambda row: row.ties.session,
    "lookalike": lambda row: row.lookalike,
    "brightness": lambda row: row.ingested.shown.brightness,
    "sharpness": lambda row: row.ingested.shown.sharpness,
    "phash": lambda row: row.ingested.shown.phash,
    "appearance": lambda row: row.ingested.shown.appearance,
}


def manifest_table(rows: Sequence[VersionRow], pictures: pa.Table, prefix: str) -> pa.Table:
    """Make the manifest's table, columns as in `SCHEMA`.

    Args:
        rows: the rows, in order.
        pictures: the facts of all pictures; a row knows its picture's row in it.
        prefix: name of the source and a slash, which the manifest writes before a photo's name; see
            `IngestRow.full_name`.
    """
    columns: dict[str, object] = _provenance_columns(rows)
    columns |= {name: [value(row) for row in rows] for name, value in _VALUES.items()}
    columns["source"] = [row.ingested.full_name(prefix) for row in rows]
    facts = pictures.take(pa.array([row.ingested.picture_row for row in rows], pa.int64()))
    for name in SCHEMA.names:
        if name not in columns:
            columns[name] = facts[name]
    return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)


def _provenance_columns(rows: Sequence[VersionRow]) -> dict[str, object]:
    """Return the columns that say who labelled, and how; most sources state nothing for a whole version."""
    provenances = [row.ingested.provenance for row in rows]
    if all(provenance is UNSTATED for provenance in provenances):
        return dict.fromkeys(PROVENANCE, [None] * len(rows))
    return {name: [getattr(provenance, name) for provenance in provenances] for name in PROVENANCE}
