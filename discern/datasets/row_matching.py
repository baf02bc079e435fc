"""Pairs of rows of two dataset versions that show the same.

Pure. A row is one thing in one picture, or a picture without one: it is recognised by the content of the picture and by
the box in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from discern.sources.base import PROVENANCE
from edge_runtime.core.images import Box

SAME_THING = 0.5  # intersection over union of two boxes that hold one thing, whatever it is called
BATCH = 1_000_000  # pairs of boxes that are compared at once


class ManifestColumns:
    """A manifest's columns as lists."""

    def __init__(self, table: pa.Table) -> None:
        self.sha256: list[str] = table["sha256"].to_pylist()
        self.row_kind: list[str] = table["row_kind"].to_pylist()
        self.label: list[str | None] = table["label"].to_pylist()
        self.source: list[str] = table["source"].to_pylist()
        self.split: list[str | None] = table["split"].to_pylist()
        self.role: list[str | None] = table["role"].to_pylist()
        self.margin: list[float] = table["margin"].to_pylist()
        self.group: list[str | None] = table["group"].to_pylist()
        self.labelled_by: list[str | None] = table["labelled_by"].to_pylist()
        self.label_method: list[str | None] = table["label_method"].to_pylist()
        # As numbers: datetimes take ten times as long, and only equality matters.
        self.captured_at: list[int | None] = table["captured_at"].cast(pa.int64()).to_pylist()
        self.labelled_at: list[int | None] = table["labelled_at"].cast(pa.int64()).to_pylist()
        self.box: list[Box | None] = [None if box is None else tuple(box) for box in table["box"].to_pylist()]
        self._table = table

    def __len__(self) -> int:
        return len(self.sha256)

    @cached_property
    def provenance(self) -> list[tuple[object, ...]]:
        """The columns of `discern.sources.base.Provenance`, row by row."""
        columns = [self.labelled_at if name == "labelled_at" else self._table[name].to_pylist() for name in PROVENANCE]
        return list(zip(*columns, strict=True))

    @cached_property
    def corners(self) -> NDArray[np.float64]:
        """[n, 4] the boxes; the whole picture is one too, of no area where nobody measured it."""
        widths, heights = (self._table[side].fill_null(0).to_pylist() for side in ("width", "height"))
        boxes = [box or (0, 0, width, height) for box, width, height in zip(self.box, widths, heights, strict=True)]
        return np.array(boxes, np.float64).reshape(-1, 4)


RowKey = Callable[[ManifestColumns, int], Hashable]


class Matched:
    """The rows of two versions in pairs: first those with most in common.

    Attributes:
        pairs: rows before and after, in the order of the latter.
        only_before: rows that are not in the newer version.
        only_after: rows that are not in the older version.
    """

    def __init__(self, before: ManifestColumns, after: ManifestColumns) -> None:
        self._before, self._after = before, after
        self.pairs: list[tuple[int, int]] = []
        self.only_before: Sequence[int] = range(len(before))
        self.only_after: Sequence[int] = range(len(after))
        self._pair_equal(lambda rows, i: (rows.sha256[i], rows.box[i], rows.label[i], rows.source[i]))
        removed, added = self._set_aside_other_pictures()
        self._pair_equal(lambda rows, i: (rows.sha256[i], rows.box[i], rows.label[i]))
        self._pair_equal(lambda rows, i: (rows.sha256[i], rows.box[i], rows.source[i]))
        self._pair_equal(lambda rows, i: (rows.sha256[i], rows.box[i]))
        self._pair_overlapping(lambda rows, i: (rows.sha256[i], rows.label[i]), 0.0)
        self._pair_overlapping(lambda rows, i: rows.sha256[i], SAME_THING)
        self.pairs.sort(key=lambda pair: pair[1])
        self.only_before = sorted([*self.only_before, *removed])
        self.only_after = sorted([*self.only_after, *added])

    def _pair_equal(self, key: RowKey) -> None:
        """Pair rows of equal keys; of several equal ones the first with the first."""
        free = _grouped(self._before, reversed(self.only_before), key)
        unpaired = []
        for j in self.only_after:
            if same := free.get(key(self._after, j)):
                self.pairs.append((same.pop(), j))
            else:
                unpaired.append(j)
        self.only_before, self.only_after = sorted(i for rows in free.values() for i in rows), unpaired

    def _set_aside_other_pictures(self) -> tuple[list[int], list[int]]:
        """Take out the rows, before and after, whose picture no unpaired row of the other version shows."""
        pictures_before = {self._before.sha256[i] for i in self.only_before}
        pictures_after = {self._after.sha256[j] for j in self.only_after}
        shared = pictures_before & pictures_after
        removed = [i for i in self.only_before if self._before.sha256[i] not in shared]
        added = [j for j in self.only_after if self._after.sha256[j] not in shared]
        self.only_before = [i for i in self.only_before if self._before.sha256[i] in shared]
        self.only_after = [j for j in self.only_after if self._after.sha256[j] in shared]
        return removed, added

    def _pair_overlapping(self, key: RowKey, least: float) -> None:
        """Pair rows of equal keys whose boxes overlap by more than `least`; those that overlap most come first."""
        rows_before = _grouped(self._before, self.only_before, key)
        rows_after = _grouped(self._after, self.only_after, key)
        groups = [(rows_before[name], rows) for name, rows in rows_after.items() if name in rows_before]
        overlapping: list[tuple[float, int, int]] = []
        for firsts, seconds in _batches(groups):
            overlaps = self._overlaps(firsts, seconds)
            overlapping += [
                (-overlap, i, j) for overlap, i, j in zip(overlaps, firsts, seconds, strict=True) if overlap > least
            ]
        paired_before, paired_after = set[int](), set[int]()
        for _, i, j in sorted(overlapping):
            if i not in paired_before and j not in paired_after:
                paired_before.add(i)
                paired_after.add(j)
                self.pairs.append((i, j))
        self.only_before = [i for i in self.only_before if i not in paired_before]
        self.only_after = [j for j in self.only_after if j not in paired_after]

    def _overlaps(self, rows_before: list[int], rows_after: list[int]) -> list[float]:
        """[n] intersection over union of pairs of boxes; 0 of two without area."""
        before, after = self._before.corners[rows_before], self._after.corners[rows_after]
        sides = np.minimum(before[:, 2:], after[:, 2:]) - np.maximum(before[:, :2], after[:, :2])
        intersection = sides.clip(min=0).prod(axis=1)
        area_before, area_after = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (before, after))
        union = area_before + area_after - intersection
        overlaps: list[float] = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0).tolist()
        return overlaps


def _grouped(side: ManifestColumns, rows: Iterable[int], key: RowKey) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for i in rows:
        groups[key(side, i)].append(i)
    return groups


def _batches(groups: Iterable[tuple[list[int], list[int]]]) -> Iterator[tuple[list[int], list[int]]]:
    """Pair every row of one side with every row of the other, group by group, about `BATCH` pairs at a time."""
    firsts: list[int] = []
    seconds: list[int] = []
    for before, after in groups:
        for i in before:
            firsts += [i] * len(after)
            seconds += after
            if len(firsts) >= BATCH:
                yield firsts, seconds
                firsts, seconds = [], []
    yield firsts, seconds
