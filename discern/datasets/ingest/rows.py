"""Photos on their way into a version: each with its picture's facts and with the earlier version's statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from discern.datasets.ingest.earlier_version import Assignment, EarlierVersion, row_key
from discern.datasets.ingest.image_facts import ShownFacts
from discern.datasets.ingest.reader import PhotosRead
from discern.datasets.ingest.rejected import decided_label, decision_name
from discern.datasets.manifest import shown
from discern.datasets.shards import ShardStore
from discern.sources.base import UNSTATED, Photo, Provenance, RowKind
from edge_runtime.core.images import Box, Pixels, decode


@dataclass(frozen=True, slots=True)
class IngestRow:
    """One photo that can be used, or one thing in it.

    Args:
        photo: as its source has it, without its bytes.
        kind: instance, empty or unlabelled.
        label: its class, decisions applied.
        provenance: of the label.
        picture_row: row of its picture in `PhotosRead.pictures`.
        sha256: of its picture.
        shown: facts of what it shows.
        captured_at: as its source says, or else its camera.
        earlier_assignment: split and role in the earlier version, if it has the same row and they hold.
        earlier_near_duplicates: its set of near-duplicates there, likewise.
        earlier_lookalike: its lookalike there, likewise.
        is_compared: it was compared with the other rows of the earlier version.
    """

    photo: Photo
    kind: RowKind
    label: str | None
    provenance: Provenance
    picture_row: int
    sha256: str
    shown: ShownFacts
    captured_at: datetime | None
    earlier_assignment: Assignment | None
    earlier_near_duplicates: str | None
    earlier_lookalike: str | None
    is_compared: bool

    @property
    def name(self) -> str:
        """The photo's name in its source."""
        return self.photo.name

    def full_name(self, prefix: str) -> str:
        """Return the name with that of its source, which `prefix` is unless the photo was enrolled."""
        return self.name if self.photo.is_enrolled else prefix + self.name

    @property
    def box(self) -> Box | None:
        """The box of the thing."""
        return self.photo.box

    @property
    def decision_name(self) -> str:
        """The name of the photo, or of the thing in it, in `cleaning.decisions`."""
        return decision_name(self.name, self.box)


def ingest_rows(
    photos_read: PhotosRead, facts: Sequence[ShownFacts], earlier: EarlierVersion, decisions: Mapping[str, str]
) -> list[IngestRow]:
    """Join photos with the facts of what they show and with the earlier version, in the order of the photos."""
    pictures = photos_read.pictures.take(pa.array(photos_read.picture_rows, pa.int64()))
    columns = (pictures[name].to_pylist() for name in ("sha256", "captured_at"))
    rows = []
    for photo, picture_row, shown_facts, sha256, camera_time in zip(
        photos_read.photos, photos_read.picture_rows, facts, *columns, strict=True
    ):
        label, provenance = _decided(photo, decisions)
        kind: RowKind = photo.kind if label is None else "instance"
        earlier_row = earlier.row(row_key(sha256, kind, label, photo.box))
        rows.append(
            IngestRow(
                photo=photo,
                kind=kind,
                label=label,
                provenance=provenance,
                picture_row=picture_row,
                sha256=sha256,
                shown=shown_facts,
                captured_at=photo.captured_at or camera_time,
                earlier_assignment=earlier.assignment(earlier_row),
                earlier_near_duplicates=earlier.near_duplicates(earlier_row),
                earlier_lookalike=earlier.lookalike(earlier_row),
                is_compared=earlier_row is not None and earlier.comparisons_hold,
            )
        )
    return rows


def _decided(photo: Photo, decisions: Mapping[str, str]) -> tuple[str | None, Provenance]:
    """The label, and who gave it: a decision for another one is part of the settings that import the photo."""
    label = decided_label(photo, decisions)
    return label, photo.provenance if label == photo.label else UNSTATED


def picture_reader(photos_read: PhotosRead, store: ShardStore) -> Callable[[IngestRow], Pixels]:
    """Return a function that decodes what a row shows, uint8 [h, w, 3]; it works in any thread."""
    shards, rows = (photos_read.pictures[name].to_pylist() for name in ("shard", "row"))

    def pixels(row: IngestRow) -> Pixels:
        images = store.images(shards[row.picture_row])
        return shown(decode(images[rows[row.picture_row]].as_py(), row.name), row.box, row.photo.margin)

    return pixels
