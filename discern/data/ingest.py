"""Photos in, a dataset version out: read, cleaned, split.

Rules kept:
- every photo is decoded once, so that what is broken is refused here and not in the middle of a training;
- what goes into no version is in the table of rejected photos, with the reason;
- an error leaves no half of anything: whole shards stay for a while, and the next call goes on from them;
- equal photos in equal order give equal shards and an equal version; what the version before said of a photo stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from discern.data.cleaning import Cleaned, CleaningConfig, Rows, clean
from discern.data.journal import Journal
from discern.data.known import Known
from discern.data.manifest import SCHEMA, DatasetVersion
from discern.data.photos import Photo
from discern.data.reading import Read, read
from discern.data.rejected import Kind, Rejected, check_share
from discern.data.sessions import sessions
from discern.data.shards import ShardStore
from discern.data.splits import Place, Sample, SplitConfig, assign
from discern.data.storing import PictureWriter, ShardLimits
from discern.errors import DataError
from edge_runtime.images import Box, Pixels, decode


def write_version(
    photos: Iterable[Photo],
    shards: str,
    *,
    source: str = "",
    splits: SplitConfig | None = None,
    cleaning: CleaningConfig | None = None,
    before: DatasetVersion | None = None,
    limits: ShardLimits | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[DatasetVersion, list[Rejected]]:
    """Store photos as shards and describe them in a new version.

    Args:
        photos: all photos of the new version; taken one at a time.
        shards: fsspec URL or path of the folder of shards.
        source: name of the source; the manifest holds `source/photo name`.
        splits: how photos without a split of their own are split; the defaults if None.
        cleaning: what is left out; the defaults if None.
        before: the version that this one grows from: its unchanged photos are not read again, and where it was split
            by the same config none of them moves.
        limits: how large a shard gets.
        progress: called with the number of photos taken so far.

    Returns:
        The version, and the photos that are not in it.

    Raises:
        DataError: the source fails, too many photos are broken, a decision names no photo, or the splits do not fit.
    """
    splits, cleaning = splits or SplitConfig(), cleaning or CleaningConfig()
    store = ShardStore(shards)
    journal = Journal(store, source)
    journal.give_up_old()
    known = Known(before, source, store, journal.load())
    found = read(_decided(photos, cleaning), PictureWriter(store, limits or ShardLimits(), journal), known, progress)
    check_share(found.rejected, found.taken, cleaning.max_rejected_share)
    rows = _Rows(found, known.rows)
    cleaned = clean(rows.to_clean(), cleaning, rows.pictures(store))
    keeps_places = before is not None and before.splits == splits.model_dump_json()
    table, rejected = rows.finish(cleaned, splits, keeps_places, f"{source}/" if source else "")
    new = found.pictures["shard"].slice(known.rows.num_rows)
    store.publish(pc.unique(new).to_pylist())
    journal.clear()
    return DatasetVersion(table, store.url, splits.model_dump_json()), found.rejected + rejected


def _decided(photos: Iterable[Photo], cleaning: CleaningConfig) -> Iterator[Photo]:
    """The photos, under the labels that somebody decided on."""
    left = set(cleaning.decisions)
    for photo in photos:
        label = cleaning.decisions.get(photo.name)
        left.discard(photo.name)
        yield photo if label is None else replace(photo, label=label)
    if left:
        raise DataError(f"cleaning.decisions names {min(left)}, which the source does not have: correct the name.")


class _Rows:
    """The photos that were read, each with its picture's facts and with what the version before said of it."""

    def __init__(self, found: Read, before: pa.Table) -> None:
        self.photos = found.photos
        self.names = [photo.name for photo in found.photos]
        self.labels = [str(photo.label) for photo in found.photos]  # reading leaves no photo without
        self.facts = found.pictures.take(pa.array(found.places, pa.int64()))
        self.sha256: list[str] = self.facts["sha256"].to_pylist()
        keys = _keys(*(before[name].to_pylist() for name in ("sha256", "label", "box")))
        row_of = {key: row for row, key in enumerate(keys)}
        boxes = [photo.box for photo in found.photos]
        self.earlier = [row_of.get(key) for key in _keys(self.sha256, self.labels, boxes)]
        self._before = {name: before[name].to_pylist() for name in ("split", "role", "near_duplicates", "lookalike")}

    def to_clean(self) -> Rows:
        """What cleaning needs."""
        return Rows(
            names=self.names,
            labels=self.labels,
            sha256=self.sha256,
            boxes=[photo.box for photo in self.photos],
            phash=self.facts["phash"].to_numpy(),
            fresh=np.array([row is None for row in self.earlier], bool),
            near_before=self._said("near_duplicates"),
        )

    def pictures(self, store: ShardStore) -> Callable[[int], Pixels]:
        """How to look at the whole picture of a photo."""
        shards, rows = self.facts["shard"].to_pylist(), self.facts["row"].to_pylist()
        return lambda i: decode(store.images(shards[i])[rows[i]].as_py(), self.names[i])

    def finish(
        self, cleaned: Cleaned, config: SplitConfig, keeps_places: bool, prefix: str
    ) -> tuple[pa.Table, list[Rejected]]:
        """Split what is clean; returns the manifest's rows, and the photos that are not among them."""
        left_out = dict(cleaned.rejected)
        kept = [i for i in range(len(self.photos)) if i not in left_out]
        if not kept:
            raise DataError(f"{next(iter(left_out.values()))[1].rstrip('.')} (no photo is left).")
        times = self._times()
        sessions_of = sessions([self.labels[i] for i in kept], [times[i] for i in kept], config.session_minutes)
        samples = list(self._samples(kept, cleaned.near_duplicates, sessions_of, keeps_places))
        places: dict[int, Place] = {}
        for i, place in zip(kept, assign(samples, config), strict=True):
            if place is None:
                left_out[i] = ("bridge", f"{self.names[i]} resembles photos on both sides of a split: take it out.")
            else:
                places[i] = place
        derived = {
            "near_duplicates": cleaned.near_duplicates,
            "session": dict(zip(kept, sessions_of, strict=True)),
            "lookalike": self._lookalikes(cleaned.lookalikes, prefix),
            "captured_at": times,
        }
        return self._manifest(places, derived, prefix), [self._rejected(i, *left_out[i]) for i in sorted(left_out)]

    def _samples(
        self, kept: Sequence[int], near: Sequence[str | None], sessions_of: Sequence[str | None], keeps_places: bool
    ) -> Iterator[Sample]:
        splits, roles = self._said("split"), self._said("role")
        for i, session in zip(kept, sessions_of, strict=True):
            photo = self.photos[i]
            before = (splits[i], roles[i]) if keeps_places and splits[i] and photo.split in {None, splits[i]} else None
            yield Sample(self.labels[i], self.sha256[i], photo.group, near[i], session, photo.split, photo.role, before)

    def _manifest(self, places: Mapping[int, Place], derived: Mapping[str, Any], prefix: str) -> pa.Table:
        photos = [self.photos[i] for i in places]
        columns = {
            "label": [self.labels[i] for i in places],
            "box": [photo.box for photo in photos],
            "margin": [photo.margin for photo in photos],
            "split": [split for split, _ in places.values()],
            "role": [role for _, role in places.values()],
            "source": [prefix + photo.name for photo in photos],
            "group": [photo.group for photo in photos],
            "stamp": [photo.stamp for photo in photos],
            **{name: [values[i] for i in places] for name, values in derived.items()},
        }
        facts = self.facts.take(pa.array(list(places), pa.int64()))
        return pa.table(
            {name: columns[name] if name in columns else facts[name] for name in SCHEMA.names}, schema=SCHEMA
        )

    def _rejected(self, i: int, kind: Kind, reason: str) -> Rejected:
        shard, row = (self.facts[name][i].as_py() for name in ("shard", "row"))
        return Rejected(self.names[i], reason, kind, self.labels[i], shard, row)

    def _times(self) -> list[datetime | None]:
        """When each photo was taken: as its source says, or as the camera does."""
        return [
            photo.captured_at or told
            for photo, told in zip(self.photos, self.facts["captured_at"].to_pylist(), strict=True)
        ]

    def _lookalikes(self, pairs: Sequence[tuple[int, int]], prefix: str) -> list[str | None]:
        there = {prefix + name for name in self.names}
        names = [name if name in there else None for name in self._said("lookalike")]
        for one, other in pairs:
            names[one], names[other] = prefix + self.names[other], prefix + self.names[one]
        return names

    def _said(self, column: str) -> list[Any]:
        """[n] what the version before said of each photo, None where it did not know it."""
        values = self._before[column]
        return [None if row is None else values[row] for row in self.earlier]


def _keys(
    sha256: Iterable[str], labels: Iterable[str], boxes: Iterable[Sequence[float] | None]
) -> Iterator[tuple[str, str, Box | None]]:
    """What makes two rows the same thing."""
    for picture, label, box in zip(sha256, labels, boxes, strict=True):
        yield picture, label, None if box is None else (box[0], box[1], box[2], box[3])
