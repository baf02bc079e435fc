"""Which of the photos that were read go into a version: one of each picture, under one label.

Pure: rows in, verdicts out; only `pixels` reads anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from discern.datasets.disjoint_sets import DisjointSets
from discern.datasets.ingest.near_duplicates import MAX_DISTANCE, candidates, confirm
from discern.datasets.ingest.rejected import Kind
from discern.sources.base import Split
from edge_runtime.core.images import Box, Pixels


class CleaningConfig(BaseModel):
    """What is left out of a version.

    Args:
        max_rejected_share: share of photos that may be broken before the run stops.
        near_distance: bits by which the perceptual hashes of near-duplicates differ at most.
        near_similarity: least structural similarity of near-duplicates of one class; they stay on one side of a split.
        same_similarity: least structural similarity of two pictures under two labels that are one picture.
        decisions: name of a photo -> the label that somebody decided on, where one picture had two. A photo named here
            is in the version under that label, whatever it resembles, and those like it that are not named are left
            out. A thing in a box is named with it, as the conflict tells: `name@left,top,right,bottom`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rejected_share: float = Field(default=0.0, ge=0, le=1)
    near_distance: int = Field(default=7, ge=0, le=MAX_DISTANCE)
    near_similarity: float = Field(default=0.85, ge=0, le=1)
    same_similarity: float = Field(default=0.95, ge=0, le=1)
    decisions: dict[str, str] = Field(default_factory=dict)

    @property
    def limits(self) -> str:
        """JSON of what decides which photos are alike: pictures compared by it need not be compared again."""
        return self.model_dump_json(exclude={"max_rejected_share"})


@dataclass(frozen=True)
class CleaningInput:
    """Photos that can be used, in order; sequences of n.

    Args:
        names: as their source calls them.
        labels: their classes, decisions applied.
        sha256: of their pictures.
        boxes: where the thing is, or None.
        splits: the split that their source gives them, or None.
        phash: uint64 [n].
        fresh: bool [n]; what is not fresh was compared with each other before.
        near_before: sets of near-duplicates that were found before.
    """

    names: Sequence[str]
    labels: Sequence[str]
    sha256: Sequence[str]
    boxes: Sequence[Box | None]
    splits: Sequence[Split | None]
    phash: NDArray[np.uint64]
    fresh: NDArray[np.bool_]
    near_before: Sequence[str | None]


@dataclass(frozen=True)
class Cleaned:
    """What cleaning found.

    Args:
        rejected: place -> kind and reason.
        same: places of near-duplicates of one class, in pairs.
        lookalikes: pairs of places that are near-duplicates under two labels, and not quite one picture.
    """

    rejected: Mapping[int, tuple[Kind, str]]
    same: Sequence[tuple[int, int]]
    lookalikes: Sequence[tuple[int, int]]


def clean(rows: CleaningInput, config: CleaningConfig, pixels: Callable[[int], Pixels]) -> Cleaned:
    """Find duplicates, label conflicts and near-duplicates.

    Args:
        rows: the photos.
        config: the limits.
        pixels: the whole picture of a place, uint8 [h, w, 3]; called from several threads.
    """
    rejected = _equal_things(rows, config.decisions)
    pictures = _Pictures(rows, rejected)
    near = np.array(pictures.places, np.int64)
    pairs = candidates(rows.phash[near], rows.fresh[near], config.near_distance)
    same: list[tuple[int, int]] = pictures.same_before()
    lookalikes: list[tuple[int, int]] = []
    for pair in confirm(pairs, lambda k: pixels(pictures.places[k]), config.near_similarity, pictures.joined.together):
        one, other = pictures.places[pair.first], pictures.places[pair.second]
        if pictures.labels[pair.first] & pictures.labels[pair.second]:
            pictures.joined.join(pair.first, pair.second)
            same.append((one, other))
        elif rows.boxes[one] is None and rows.boxes[other] is None:  # in boxes things differ, whatever is around them
            if pair.similarity < config.same_similarity:
                lookalikes.append((one, other))
            else:
                found = _decide([one, other], rows, config.decisions)
                rejected |= found
                lookalikes += [] if found else [(one, other)]
    return Cleaned(rejected, same, lookalikes)


def near_sets(kept: Sequence[int], sha256: Sequence[str], same: Sequence[tuple[int, int]]) -> dict[int, str]:
    """Name the sets of near-duplicates among the photos that are kept; what is left out joins nothing.

    Args:
        kept: places.
        sha256: [n] of all pictures.
        same: pairs of places of near-duplicates.

    Returns:
        Place -> name of its set; photos like no other are missing.
    """
    if not same:
        return {}
    numbers: dict[str, int] = {}
    for i in kept:
        numbers.setdefault(sha256[i], len(numbers))
    joined = DisjointSets(len(numbers))
    for one, other in same:
        if sha256[one] in numbers and sha256[other] in numbers:
            joined.join(numbers[sha256[one]], numbers[sha256[other]])
    pictures = list(numbers)
    names: dict[str, str] = {}
    for members in joined.sets(range(len(pictures))).values():
        if len(members) > 1:
            name = min(pictures[k] for k in members)[:16]
            names.update((pictures[k], name) for k in members)
    return {i: names[sha256[i]] for i in kept if sha256[i] in names}


def _equal_things(rows: CleaningInput, decisions: Mapping[str, str]) -> dict[int, tuple[Kind, str]]:
    """One thing of one picture goes in once: under its label, under those decided on, or under none of several."""
    things: dict[tuple[str, Box | None], list[int]] = defaultdict(list)
    for i, key in enumerate(zip(rows.sha256, rows.boxes, strict=True)):
        things[key].append(i)
    rejected: dict[int, tuple[Kind, str]] = {}
    for members in things.values():
        if len(members) == 1:
            continue
        found = _decide(members, rows, decisions)
        rejected |= found
        left = [i for i in members if i not in found]
        if len({rows.splits[i] for i in left}) > 1:
            rejected |= _leak(left, rows)
            continue
        firsts = {rows.labels[i]: i for i in reversed(left)}
        for i in left:
            if i != firsts[rows.labels[i]]:
                reason = f"{rows.names[i]} is the same picture as {rows.names[firsts[rows.labels[i]]]}."
                rejected[i] = ("duplicate", reason)
    return rejected


def thing(name: str, box: Box | None) -> str:
    """What a decision calls a photo, or a thing in one."""
    return name if box is None else f"{name}@{','.join(f'{side:g}' for side in box)}"


def _decide(members: Sequence[int], rows: CleaningInput, decisions: Mapping[str, str]) -> dict[int, tuple[Kind, str]]:
    """Of photos of one picture under several labels, leave out those that nobody decided on."""
    if len({rows.labels[i] for i in members}) == 1:
        return {}
    decided = [i for i in members if thing(rows.names[i], rows.boxes[i]) in decisions]
    if not decided:
        return _conflict(members, rows)
    kept = rows.names[decided[0]]
    return {
        i: ("duplicate", f"{rows.names[i]} is the same picture as {kept}, and somebody decided on that one's label.")
        for i in members
        if i not in decided
    }


def _leak(members: Sequence[int], rows: CleaningInput) -> dict[int, tuple[Kind, str]]:
    """Copies of one picture that their source puts into several splits: one that trains stays, for it will be seen."""
    kept = min(members, key=lambda i: rows.splits[i] != "train")
    reason = "{} ({}) is the same picture as {} ({}): the official split leaks."
    return {
        i: ("leak", reason.format(rows.names[i], rows.splits[i], rows.names[kept], rows.splits[kept]))
        for i in members
        if i != kept
    }


class _Pictures:
    """The pictures of some rows, each once, in sets of near-duplicates."""

    def __init__(self, rows: CleaningInput, rejected: Mapping[int, object]) -> None:
        numbers: dict[str, int] = {}
        self.places: list[int] = []  # a row of each picture
        self.labels: list[set[str]] = []
        before: dict[str, int] = {}
        for i, sha256 in enumerate(rows.sha256):
            if i in rejected:
                continue
            number = numbers.setdefault(sha256, len(self.places))
            if number == len(self.places):
                self.places.append(i)
                self.labels.append(set())
            self.labels[number].add(rows.labels[i])
        self.joined = DisjointSets(len(self.places))
        for number, i in enumerate(self.places):
            if (name := rows.near_before[i]) is not None:
                self.joined.join(number, before.setdefault(name, number))

    def same_before(self) -> list[tuple[int, int]]:
        """Pairs of places that were found near-duplicates before."""
        roots = ((k, self.joined.root(k)) for k in range(len(self.places)))
        return [(self.places[root], self.places[k]) for k, root in roots if root != k]


def _conflict(members: Sequence[int], rows: CleaningInput) -> dict[int, tuple[Kind, str]]:
    what = " and ".join(f"{thing(rows.names[i], rows.boxes[i])} ({rows.labels[i]!r})" for i in members[:3])
    reason = (
        f"{what} are one picture under several labels: keep it where it belongs and delete the others, or name the "
        "photo and its label in cleaning.decisions."
    )
    return dict.fromkeys(members, ("conflict", reason))
