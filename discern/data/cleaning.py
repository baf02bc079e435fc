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

from discern.data.duplicates import MAX_DISTANCE, Joined, candidates, confirm
from discern.data.rejected import Kind
from edge_runtime.images import Box, Pixels


class CleaningConfig(BaseModel):
    """What is left out of a version.

    Args:
        max_rejected_share: share of photos that may be broken before the run stops.
        near_distance: bits by which the perceptual hashes of near-duplicates differ at most.
        near_similarity: least structural similarity of near-duplicates of one class; they stay on one side of a split.
        same_similarity: least structural similarity of two pictures under two labels that are one picture.
        decisions: name of a photo -> the label that somebody decided on, where one picture had two. A photo named here
            is in the version under that label, whatever it resembles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rejected_share: float = Field(default=0.0, ge=0, le=1)
    near_distance: int = Field(default=7, ge=0, le=MAX_DISTANCE)
    near_similarity: float = Field(default=0.85, ge=0, le=1)
    same_similarity: float = Field(default=0.95, ge=0, le=1)
    decisions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """Photos that can be used, in order; sequences of n.

    Args:
        names: as their source calls them.
        labels: their classes, decisions applied.
        sha256: of their pictures.
        boxes: where the thing is, or None.
        phash: uint64 [n].
        fresh: bool [n]; what is not fresh was compared with each other before.
        near_before: sets of near-duplicates that were found before.
    """

    names: Sequence[str]
    labels: Sequence[str]
    sha256: Sequence[str]
    boxes: Sequence[Box | None]
    phash: NDArray[np.uint64]
    fresh: NDArray[np.bool_]
    near_before: Sequence[str | None]


@dataclass(frozen=True)
class Cleaned:
    """What cleaning found.

    Args:
        rejected: place -> kind and reason.
        near_duplicates: [n] name of each photo's set of near-duplicates, None where it has none.
        lookalikes: pairs of places that are near-duplicates under two labels, and not quite one picture.
    """

    rejected: Mapping[int, tuple[Kind, str]]
    near_duplicates: Sequence[str | None]
    lookalikes: Sequence[tuple[int, int]]


def clean(rows: Rows, config: CleaningConfig, pixels: Callable[[int], Pixels]) -> Cleaned:
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
    lookalikes: list[tuple[int, int]] = []
    for pair in confirm(pairs, lambda k: pixels(pictures.places[k]), config.near_similarity, pictures.joined.together):
        one, other = pictures.places[pair.first], pictures.places[pair.second]
        if pictures.labels[pair.first] & pictures.labels[pair.second]:
            pictures.joined.join(pair.first, pair.second)
        elif rows.boxes[one] is None and rows.boxes[other] is None:  # in boxes things differ, whatever is around them
            if (
                pair.similarity < config.same_similarity
                or {rows.names[one], rows.names[other]} & config.decisions.keys()
            ):
                lookalikes.append((one, other))
            else:
                rejected |= _conflict([one, other], rows)
    return Cleaned(rejected, pictures.names(), lookalikes)


def _equal_things(rows: Rows, decisions: Mapping[str, str]) -> dict[int, tuple[Kind, str]]:
    """One thing of one picture goes in once: under its label, under those decided on, or under none of several."""
    things: dict[tuple[str, Box | None], list[int]] = defaultdict(list)
    for i, key in enumerate(zip(rows.sha256, rows.boxes, strict=True)):
        things[key].append(i)
    rejected: dict[int, tuple[Kind, str]] = {}
    for members in things.values():
        if len(members) == 1:
            continue
        decided = [i for i in members if rows.names[i] in decisions]
        firsts = {rows.labels[i]: i for i in reversed(decided or members)}
        if len(firsts) > 1 and not decided:
            rejected |= _conflict(members, rows)
            continue
        kept = set(firsts.values())
        for i in members:
            if i not in kept:
                rejected[i] = ("duplicate", f"{rows.names[i]} is the same picture as {rows.names[min(kept)]}.")
    return rejected


class _Pictures:
    """The pictures of some rows, each once, in sets of near-duplicates."""

    def __init__(self, rows: Rows, rejected: Mapping[int, object]) -> None:
        self._rows = rows
        self._number: dict[str, int] = {}
        self.places: list[int] = []  # a row of each picture
        self.labels: list[set[str]] = []
        before: dict[str, int] = {}
        for i, sha256 in enumerate(rows.sha256):
            if i in rejected:
                continue
            number = self._number.setdefault(sha256, len(self.places))
            if number == len(self.places):
                self.places.append(i)
                self.labels.append(set())
            self.labels[number].add(rows.labels[i])
        self.joined = Joined(len(self.places))
        for number, i in enumerate(self.places):
            if (name := rows.near_before[i]) is not None:
                self.joined.join(number, before.setdefault(name, number))

    def names(self) -> list[str | None]:
        """[n] what the near-duplicates of each row's picture share; None for a picture like no other."""
        names: dict[int, str] = {}
        for members in self.joined.sets(range(len(self.places))).values():
            if len(members) > 1:
                name = min(self._rows.sha256[self.places[k]] for k in members)[:16]
                names.update(dict.fromkeys(members, name))
        return [names.get(self._number.get(sha256, -1)) for sha256 in self._rows.sha256]


def _conflict(members: Sequence[int], rows: Rows) -> dict[int, tuple[Kind, str]]:
    what = " and ".join(f"{rows.names[i]} ({rows.labels[i]!r})" for i in members[:3])
    reason = (
        f"{what} are one picture under several labels: keep it where it belongs and delete the others, or name the "
        "photo and its label in cleaning.decisions."
    )
    return dict.fromkeys(members, ("conflict", reason))
