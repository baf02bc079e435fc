"""Rows on their way into a version, without photos."""

from __future__ import annotations

import hashlib
from datetime import datetime

from discern.datasets.ingest.image_facts import ShownFacts
from discern.datasets.ingest.rows import IngestRow
from discern.datasets.splits.assign import Assignment
from discern.sources.base import UNSTATED, Photo, RowKind, Split


def row(
    name: str,
    label: str | None = None,
    *,
    kind: RowKind | None = None,
    split: Split | None = None,
    group: str | None = None,
    captured_at: datetime | None = None,
    earlier: Assignment | None = None,
) -> IngestRow:
    """A row: an instance where it has a label, else an empty image unless another kind is named."""
    row_kind: RowKind = kind or ("empty" if label is None else "instance")
    return IngestRow(
        photo=Photo(name, label, b"", split=split, group=group, empty=row_kind == "empty"),
        kind=row_kind,
        label=label,
        provenance=UNSTATED,
        picture_row=0,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        shown=ShownFacts(0.5, 1.0, 0, b""),
        captured_at=captured_at,
        earlier_assignment=earlier,
        earlier_near_duplicates=None,
        earlier_lookalike=None,
        is_compared=False,
    )
