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
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from discern.datasets.ingest.cleaning import Cleaned, CleaningConfig, CleaningInput, clean, near_sets, thing
from discern.datasets.ingest.journal import Journal
from discern.datasets.ingest.reader import Read, read
from discern.datasets.ingest.rejected import Kind, Rejected, check_share
from discern.datasets.ingest.reuse import KnownImages
from discern.datasets.ingest.writer import PictureWriter, ShardLimits
from discern.datasets.manifest import SCHEMA, DatasetVersion
from discern.datasets.shards import ShardStore
from discern.datasets.splits.assign import Assignment, SplitConfig, SplitItem, assign
from discern.datasets.splits.sessions import sessions
from discern.errors import DataError
from discern.sources.base import Photo
from discern.suggestions import suggest
from edge_runtime.core.images import Box, Pixels, decode


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
    known = KnownImages(before, source, store, journal.load())
    prefix = f"{source}/" if source else ""
    # People copy names from a diff or a report, where the source's name stands before them.
    decisions = {name.removeprefix(prefix): label for name, label in cleaning.decisions.items()}
    cleaning = cleaning.model_copy(update={"decisions": decisions})
    found = read(photos, PictureWriter(store, limits or ShardLimits(), journal), known, progress)
    check_share(found.rejected, found.taken, cleaning.max_rejected_share)
    _check_decisions(found, cleaning)
    made = DatasetVersion(SCHEMA.empty_table(), store.url, splits.model_dump_json(), cleaning.limits)
    rows = _Rows(found, made, before, cleaning)
    cleaned = clean(rows.to_clean(), cleaning, rows.pictures(store))
    table, rejected = rows.finish(cleaned, splits, prefix)
    store.publish(pc.unique(found.pictures["shard"].slice(known.published)).to_pylist())
    journal.clear()
    return replace(made, table=table), found.rejected + rejected


def _check_decisions(found: Read, cleaning: CleaningConfig) -> None:
    there = {thing(photo.name, photo.box) for photo in found.photos} | {one.name for one in found.rejected}
    if missing := sorted(cleaning.decisions.keys() - there):
        mend = suggest(missing[0], there, otherwise="correct the name.")
        raise DataError(f"cleaning.decisions names {missing[0]}, which the source does not have: {mend}")


class _Rows:
    """The photos that were read, each with its picture's facts and with what the version before said of it."""

    def __init__(
        self, found: Read, made: DatasetVersion, before: DatasetVersion | None, cleaning: CleaningConfig
    ) -> None:
        self.photos = found.photos
        self.names = [photo.name for photo in found.photos]
        self.labels = [_label(photo, cleaning.decisions) for photo in found.photos]
        self.facts = found.pictures.take(pa.array(found.places, pa.int64()))
        self.sha256: list[str] = self.facts["sha256"].to_pylist()
        # When each was taken: as its source says, or as the camera does.
        told = self.facts["captured_at"].to_pylist()
        self.times = [photo.captured_at or time for photo, time in zip(found.photos, told, strict=True)]
        table = SCHEMA.empty_table() if before is None else before.table
        keys = _keys(*(table[name].to_pylist() for name in ("sha256", "label", "box")))
        row_of = {key: row for row, key in enumerate(keys)}
        boxes = [photo.box for photo in found.photos]
        self.earlier = [row_of.get(key) for key in _keys(self.sha256, self.labels, boxes)]
        self._before = {name: table[name].to_pylist() for name in ("split", "role", "near_duplicates", "lookalike")}
        self._same_splits = before is not None and before.splits == made.splits
        self._compared = before is not None and before.cleaning == made.cleaning

    def to_clean(self) -> CleaningInput:
        """What cleaning needs."""
        return CleaningInput(
            names=self.names,
            labels=self.labels,
            sha256=self.sha256,
            boxes=[photo.box for photo in self.photos],
            splits=[photo.split for photo in self.photos],
            phash=self.facts["phash"].to_numpy(),
            fresh=np.array([row is None or not self._compared for row in self.earlier], bool),
            near_before=self._said("near_duplicates", self._compared),
        )

    def pictures(self, store: ShardStore) -> Callable[[int], Pixels]:
        """How to look at the whole picture of a photo."""
        shards, rows = self.facts["shard"].to_pylist(), self.facts["row"].to_pylist()
        return lambda i: decode(store.images(shards[i])[rows[i]].as_py(), self.names[i])

    def finish(self, cleaned: Cleaned, config: SplitConfig, prefix: str) -> tuple[pa.Table, list[Rejected]]:
        """Split what is clean; returns the manifest's rows, and the photos that are not among them."""
        left_out = dict(cleaned.rejected)
        kept = [i for i in range(len(self.photos)) if i not in left_out]
        if not kept:
            raise DataError(f"{next(iter(left_out.values()))[1].rstrip('.')} (no photo is left).")
        ties = self._ties(kept, cleaned, config)
        answers = assign(list(self._samples(kept, ties)), config)
        places = {i: place for i, place in zip(kept, answers, strict=True) if place is not None}
        for i in kept:
            if i not in places:
                reason = f"{self.names[i]} belongs to photos on both sides of a split: take it out, or those."
                left_out[i] = ("bridge", reason)
        if len(places) < len(kept):  # what was left out ties nothing together
            ties = self._ties(list(places), cleaned, config)
        lookalikes = self._lookalikes(cleaned.lookalikes, prefix)
        return self._manifest(places, ties, lookalikes, prefix), [
            self._rejected(i, *left_out[i]) for i in sorted(left_out)
        ]

    def _ties(
        self, kept: Sequence[int], cleaned: Cleaned, config: SplitConfig
    ) -> dict[int, tuple[str | None, str | None]]:
        """Set of near-duplicates and capture session of each kept photo."""
        near = near_sets(kept, self.sha256, cleaned.same)
        times = [self.times[i] for i in kept]
        names = sessions([self.labels[i] for i in kept], times, config.session_minutes)
        return {i: (near.get(i), session) for i, session in zip(kept, names, strict=True)}

    def _samples(self, kept: Sequence[int], ties: Mapping[int, tuple[str | None, str | None]]) -> Iterator[SplitItem]:
        splits, roles = self._said("split", self._same_splits), self._said("role", self._same_splits)
        for i in kept:
            photo = self.photos[i]
            before = (splits[i], roles[i]) if splits[i] and photo.split in {None, splits[i]} else None
            yield SplitItem(self.labels[i], self.sha256[i], photo.group, *ties[i], photo.split, photo.role, before)

    def _manifest(
        self,
        places: Mapping[int, Assignment],
        ties: Mapping[int, tuple[str | None, str | None]],
        lookalikes: Sequence[str | None],
        prefix: str,
    ) -> pa.Table:
        photos = [self.photos[i] for i in places]
        columns = {
            "label": [self.labels[i] for i in places],
            "box": [photo.box for photo in photos],
            "margin": [photo.margin for photo in photos],
            "split": [split for split, _ in places.values()],
            "role": [role for _, role in places.values()],
            "source": [prefix + photo.name for photo in photos],
            "group": [photo.group for photo in photos],
            "captured_at": [self.times[i] for i in places],
            "stamp": [photo.stamp for photo in photos],
            "near_duplicates": [ties[i][0] for i in places],
            "session": [ties[i][1] for i in places],
            "lookalike": [lookalikes[i] for i in places],
        }
        facts = self.facts.take(pa.array(list(places), pa.int64()))
        return pa.table(
            {name: columns[name] if name in columns else facts[name] for name in SCHEMA.names}, schema=SCHEMA
        )

    def _rejected(self, i: int, kind: Kind, reason: str) -> Rejected:
        shard, row = (self.facts[name][i].as_py() for name in ("shard", "row"))
        return Rejected(self.names[i], reason, kind, self.labels[i], shard, row)

    def _lookalikes(self, pairs: Sequence[tuple[int, int]], prefix: str) -> list[str | None]:
        there = {prefix + name for name in self.names}
        names = [name if name in there else None for name in self._said("lookalike", self._compared)]
        for one, other in pairs:
            names[one], names[other] = prefix + self.names[other], prefix + self.names[one]
        return names

    def _said(self, column: str, holds: bool = True) -> list[Any]:
        """[n] what the version before said of each photo; None where it did not know it, or it no longer holds."""
        values = self._before[column]
        return [values[row] if holds and row is not None else None for row in self.earlier]


def _label(photo: Photo, decisions: Mapping[str, str]) -> str:
    if photo.label is None:
        raise ValueError(f"{photo.name} has no label, and reading leaves such photos out")
    return decisions.get(thing(photo.name, photo.box), photo.label) if decisions else photo.label


def _keys(
    sha256: Iterable[str], labels: Iterable[str], boxes: Iterable[Sequence[float] | None]
) -> Iterator[tuple[str, str, Box | None]]:
    """What makes two rows the same thing."""
    for picture, label, box in zip(sha256, labels, boxes, strict=True):
        yield picture, label, None if box is None else (box[0], box[1], box[2], box[3])
