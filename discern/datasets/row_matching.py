"""Which row of one dataset version is which of another.

Pure. A row is one thing in one picture: it is known again by the content of the picture and by where it is in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from edge_runtime.core.images import Box

SAME_THING = 0.5  # intersection over union of two boxes that hold one thing, whatever it is called
BATCH = 1_000_000  # pairs of boxes that are compared at once


class ManifestColumns:
    """A manifest's columns as lists."""

    def __init__(self, table: pa.Table) -> None:
        self.sha256: list[str] = table["sha256"].to_pylist()
        self.label: list[str] = table["label"].to_pylist()
        self.source: list[str] = table["source"].to_pylist()
        self.split: list[str] = table["split"].to_pylist()
        self.role: list[str] = table["role"].to_pylist()
        self.margin: list[float] = table["margin"].to_pylist()
        self.group: list[str | None] = table["group"].to_pylist()
        # As numbers: datetimes take ten times as long, and only equality is asked for.
        self.captured_at: list[int | None] = table["captured_at"].cast(pa.int64()).to_pylist()
        self.box: list[Box | None] = [None if box is None else tuple(box) for box in table["box"].to_pylist()]
        self._sides = [table[side].to_pylist() for side in ("width", "height")]

    def __len__(self) -> int:
        return len(self.sha256)

    @cached_property
    def corners(self) -> NDArray[np.float64]:
        """[n, 4] the boxes; the whole picture is one too."""
        return np.array(
            [box or (0, 0, width, height) for box, width, height in zip(self.box, *self._sides, strict=True)]
        ).reshape(-1, 4)


class Matched:
    """Which row of one version is which of the other: first those with most in common.

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
        self._equal(lambda rows, i: (rows.sha256[i], rows.box[i], rows.label[i], rows.source[i]))
        gone, new = self._in_other_pictures()
        self._equal(lambda rows, i: (rows.sha256[i], rows.box[i], rows.label[i]))
        self._equal(lambda rows, i: (rows.sha256[i], rows.box[i], rows.source[i]))
        self._equal(lambda rows, i: (rows.sha256[i], rows.box[i]))
        self._overlapping(lambda rows, i: (rows.sha256[i], rows.label[i]), 0.0)
        self._overlapping(lambda rows, i: rows.sha256[i], SAME_THING)
        self.pairs.sort(key=lambda pair: pair[1])
        self.only_before = sorted([*self.only_before, *gone])
        self.only_after = sorted([*self.only_after, *new])

    def _equal(self, key: Callable[[ManifestColumns, int], Hashable]) -> None:
        """Pair rows of equal keys; of several equal ones the first with the first."""
        free = self._grouped(self._before, reversed(self.only_before), key)
        left = []
        for j in self.only_after:
            if same := free.get(key(self._after, j)):
                self.pairs.append((same.pop(), j))
            else:
                left.append(j)
        self.only_before, self.only_after = sorted(i for rows in free.values() for i in rows), left

    def _in_other_pictures(self) -> tuple[list[int], list[int]]:
        """Take out the rows, before and after, whose picture the other side does not have left."""
        sides = [(self._before.sha256, self.only_before), (self._after.sha256, self.only_after)]
        pictures = [{sha256[i] for i in rows} for sha256, rows in sides]
        shared = pictures[0] & pictures[1]
        self.only_before, self.only_after = ([i for i in rows if sha256[i] in shared] for sha256, rows in sides)
        gone, new = ([i for i in rows if sha256[i] not in shared] for sha256, rows in sides)
        return gone, new

    def _overlapping(self, key: Callable[[ManifestColumns, int], Hashable], least: float) -> None:
        """Pair rows of equal keys whose boxes overlap by more than `least`; those that overlap most come first."""
        free = self._grouped(self._before, self.only_before, key)
        asked = self._grouped(self._after, self.only_after, key)
        found = [
            (-overlap, i, j)
            for ours, theirs in _batches((free[name], rows) for name, rows in asked.items() if name in free)
            for overlap, i, j in zip(self._overlaps(ours, theirs), ours, theirs, strict=True)
            if overlap > least
        ]
        taken_before, taken_after = set[int](), set[int]()
        for _, i, j in sorted(found):
            if i not in taken_before and j not in taken_after:
                taken_before.add(i)
                taken_after.add(j)
                self.pairs.append((i, j))
        self.only_before = [i for i in self.only_before if i not in taken_before]
        self.only_after = [j for j in self.only_after if j not in taken_after]

    @staticmethod
    def _grouped(
        side: ManifestColumns, rows: Iterable[int], key: Callable[[ManifestColumns, int], Hashable]
    ) -> dict[Hashable, list[int]]:
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for i in rows:
            groups[key(side, i)].append(i)
        return groups

    def _overlaps(self, rows_before: list[int], rows_after: list[int]) -> list[float]:
        """[n] intersection over union of pairs of boxes."""
        one, other = self._before.corners[rows_before], self._after.corners[rows_after]
        shared = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
        intersection = shared.clip(min=0).prod(axis=1)
        areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
        overlaps: list[float] = (intersection / (areas[0] + areas[1] - intersection)).tolist()
        return overlaps


def _batches(groups: Iterable[tuple[list[int], list[int]]]) -> Iterator[tuple[list[int], list[int]]]:
    """Every row of one side with every row of the other, group by group, about `BATCH` pairs at a time."""
    ours: list[int] = []
    theirs: list[int] = []
    for before, after in groups:
        for i in before:
            ours += [i] * len(after)
            theirs += after
            if len(ours) >= BATCH:
                yield ours, theirs
                ours, theirs = [], []
    yield ours, theirs
