"""Which of the photos that were read go into a version: one of each picture, under one label.

Pure: rows in, rejects and pairs out; only `pixels` reads anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from discern.datasets.disjoint_sets import DisjointSets
from discern.datasets.ingest.near_duplicates import MAX_DISTANCE, Pair, Pictures, candidates, confirm
from discern.datasets.ingest.rejected import Kind
from discern.datasets.ingest.rows import IngestRow
from edge_runtime.core.images import Box, Pixels

NAMED = 4  # photos of one conflict in its message, one of each label
DECIDE = "with `discern data decide`, or in cleaning.decisions"

Rejects = dict[int, tuple[Kind, str]]  # number of the row -> kind and reason
Thing = tuple[str, Box | None]  # sha256 of a picture, and the box of the thing in it; None is the whole picture


class CleaningConfig(BaseModel):
    """What is left out of a version.

    Args:
        max_rejected_share: share of photos that may be broken; where more are, the version fails the check
            `broken_photos`, and its page names them.
        near_distance: bits by which the perceptual hashes of near-duplicates differ at most.
        near_similarity: least structural similarity of near-duplicates of one class; they stay on one side of a split.
        near_change: largest local difference between them, as a share of their contrast.
        same_similarity: least structural similarity of two pictures under two labels that are one picture; 1 asks for
            equal thumbnails.
        same_change: largest local difference between them.
        decisions: name of a photo -> the label that somebody decided on, where one picture had two. A photo named here
            is in the version under that label, whatever it resembles, and those like it that are not named are left
            out. A thing in a box is named with it, as the conflict tells: `name@left,top,right,bottom`.
        unlabelled: `reject` leaves unlabelled photos out and reports them; `keep` stores them as rows without a split.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_rejected_share: float = Field(default=0.01, ge=0, le=1)
    near_distance: int = Field(default=7, ge=0, le=MAX_DISTANCE)
    near_similarity: float = Field(default=0.85, ge=0, le=1)
    near_change: float = Field(default=0.25, ge=0, le=1)
    same_similarity: float = Field(default=0.95, ge=0, le=1)
    same_change: float = Field(default=0.12, ge=0, le=1)
    decisions: dict[str, str] = Field(default_factory=dict)
    unlabelled: Literal["reject", "keep"] = "reject"

    @property
    def limits(self) -> str:
        """JSON of what decides which photos are alike: what was compared by it need not be compared again."""
        return self.model_dump_json(exclude={"max_rejected_share", "unlabelled"})


@dataclass(frozen=True)
class Cleaned:
    """The result of cleaning; rows are named by their numbers.

    Args:
        rejected: kind and reason of each row that is left out.
        same: pairs of near-duplicates of one class, or of an empty image and any other.
        lookalikes: pairs that are near-duplicates under two labels, and not quite one picture.
    """

    rejected: Mapping[int, tuple[Kind, str]]
    same: Sequence[tuple[int, int]]
    lookalikes: Sequence[tuple[int, int]]


def clean(rows: Sequence[IngestRow], config: CleaningConfig, pixels: Callable[[IngestRow], Pixels]) -> Cleaned:
    """Find duplicates, label conflicts and near-duplicates.

    Args:
        rows: all rows.
        config: the limits.
        pixels: what a row shows, uint8 [h, w, 3]; called from several threads.
    """
    rejected = _repeated_unlabelled(rows)
    rejected |= _empty_and_not(rows, config.decisions)
    rejected |= _equal_things(rows, rejected, config.decisions)
    things = _ThingSets(rows, rejected)
    same = things.same_before()
    lookalikes: list[tuple[int, int]] = []
    one_picture: list[tuple[int, int]] = []  # under two labels each
    for pair in _alike(things, rows, config, pixels):
        first, second = things.first_rows[pair.first], things.first_rows[pair.second]
        if things.may_be_one_class(pair.first, pair.second):
            things.joined.join(pair.first, pair.second)
            same.append((first, second))
        elif rows[first].sha256 != rows[second].sha256:
            are_whole = rows[first].box is None and rows[second].box is None
            is_one_picture = are_whole and _is_one_picture(pair, config)
            (one_picture if is_one_picture else lookalikes).append((first, second))
    undecided = _undecided_of_pairs(one_picture, rows, config.decisions)
    lookalikes += [pair for pair in one_picture if undecided.keys().isdisjoint(pair)]
    return Cleaned(rejected | undecided, same, lookalikes)


def _is_one_picture(pair: Pair, config: CleaningConfig) -> bool:
    """Tell whether two alike photos are one; things in boxes are not asked, for they are small and look the same."""
    return pair.similarity >= config.same_similarity and pair.change <= config.same_change


def _alike(
    things: _ThingSets, rows: Sequence[IngestRow], config: CleaningConfig, pixels: Callable[[IngestRow], Pixels]
) -> Iterator[Pair]:
    """Yield the pairs of things that are alike and not of one set already."""
    phashes = np.array([rows[i].shown.phash for i in things.first_rows], np.uint64)
    is_new = np.array([not rows[i].is_compared for i in things.first_rows], bool)
    pictures = Pictures(lambda place: pixels(rows[things.first_rows[place]]))
    pairs = candidates(phashes, is_new, config.near_distance, pictures)
    return confirm(pairs, pictures, config.near_similarity, config.near_change, things.joined.together)


def near_sets(numbers: Sequence[int], rows: Sequence[IngestRow], same: Sequence[tuple[int, int]]) -> dict[int, str]:
    """Name the sets of near-duplicates among some rows; rows that are not among them join nothing.

    Args:
        numbers: of the rows that are in the version.
        rows: all rows.
        same: pairs of near-duplicates.

    Returns:
        Number of the row -> name of its set; rows like no other are missing.
    """
    if not same:
        return {}
    index: dict[Thing, int] = {}  # thing -> its number
    for i in numbers:
        index.setdefault(_thing(rows[i]), len(index))
    joined = DisjointSets(len(index))
    for first, second in same:
        if _thing(rows[first]) in index and _thing(rows[second]) in index:
            joined.join(index[_thing(rows[first])], index[_thing(rows[second])])
    things = list(index)
    names: dict[Thing, str] = {}
    for members in joined.sets(range(len(things))).values():
        if len(members) > 1:
            name = _name_of_set([things[k] for k in members])
            names.update((things[k], name) for k in members)
    return {i: names[_thing(rows[i])] for i in numbers if _thing(rows[i]) in names}


def _thing(row: IngestRow) -> Thing:
    return row.sha256, row.box


def _name_of_set(things: Sequence[Thing]) -> str:
    """Name a set by its first picture; things in boxes may form several sets of the same pictures."""
    sha256, box = min(things, key=lambda thing: (thing[0], thing[1] or ()))
    return sha256[:16] if box is None else f"{sha256[:16]}@{','.join(f'{side:g}' for side in box)}"


def _repeated_unlabelled(rows: Sequence[IngestRow]) -> Rejects:
    """Leave out unlabelled images whose picture is there already, labelled or not."""
    if not any(row.kind == "unlabelled" for row in rows):
        return {}
    first_rows: dict[str, int] = {}
    for i in sorted(range(len(rows)), key=lambda i: rows[i].kind == "unlabelled"):  # labelled ones first
        first_rows.setdefault(rows[i].sha256, i)
    return {
        i: _duplicate(row, rows[first_rows[row.sha256]])
        for i, row in enumerate(rows)
        if row.kind == "unlabelled" and first_rows[row.sha256] != i
    }


def _empty_and_not(rows: Sequence[IngestRow], decisions: Mapping[str, str]) -> Rejects:
    """Hold back a picture that is empty for one and shows something for another, unless somebody decided."""
    empty = {row.sha256: i for i, row in enumerate(rows) if row.kind == "empty"}
    if not empty:
        return {}
    shown: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row.kind == "instance" and row.sha256 in empty:
            shown[row.sha256].append(i)
    rejected: Rejects = {}
    for i, row in enumerate(rows):
        if row.kind != "empty" or row.sha256 not in shown:
            continue
        instances = shown[row.sha256]
        decided = [k for k in instances if rows[k].decision_name in decisions]
        if decided:
            rejected[i] = _decided_otherwise(row, rows[decided[0]])
            continue
        instance = rows[instances[0]]
        reason = (
            f"{rows[empty[row.sha256]].name} is said to be empty, and {instance.decision_name} ({instance.label!r}) is "
            f"the same picture: decide on the latter {DECIDE}, or correct what is said to be empty."
        )
        rejected.update(dict.fromkeys([i, *instances], ("conflict", reason)))
    return rejected


def _equal_things(rows: Sequence[IngestRow], left_out: Mapping[int, object], decisions: Mapping[str, str]) -> Rejects:
    """Take one thing of one picture once: under its label, under those decided on, or under none of several."""
    first_rows: dict[tuple[str, Box | None], int] = {}
    repeated: dict[int, list[int]] = {}  # first row of a thing -> all its rows; most things have one
    for i, row in enumerate(rows):
        if row.kind == "unlabelled" or i in left_out:
            continue
        first = first_rows.setdefault((row.sha256, row.box), i)
        if first != i:
            repeated.setdefault(first, [first]).append(i)
    rejected: Rejects = {}
    for _, members in sorted(repeated.items()):
        rejected |= _one_of(members, rows, decisions)
    return rejected


def _one_of(members: Sequence[int], rows: Sequence[IngestRow], decisions: Mapping[str, str]) -> Rejects:
    """Leave out all but one of several rows of one thing; of several decided labels one each stays."""
    rejected = _undecided(members, rows, decisions)
    remaining = [i for i in members if i not in rejected]
    by_source = [i for i in remaining if rows[i].photo.split is not None]
    if len({rows[i].photo.split for i in by_source}) > 1:
        rejected |= _leaks(by_source, rows)
    first_of_label: dict[str | None, int] = {}
    # One whose split is ours to choose is no leak, and gives way to one whose split is its source's.
    for i in sorted(remaining, key=lambda i: rows[i].photo.split is None):
        if i in rejected:
            continue
        first = first_of_label.setdefault(rows[i].label, i)
        if first != i:
            rejected[i] = _duplicate(rows[i], rows[first])
    return rejected


def _undecided(members: Sequence[int], rows: Sequence[IngestRow], decisions: Mapping[str, str]) -> Rejects:
    """Of rows of one picture under several labels, leave out those that nobody decided on."""
    if len({rows[i].label for i in members}) == 1:
        return {}
    decided = [i for i in members if rows[i].decision_name in decisions]
    if not decided:
        return _conflict(members, rows)
    return {i: _decided_otherwise(rows[i], rows[decided[0]]) for i in members if i not in decided}


def _undecided_of_pairs(
    pairs: Sequence[tuple[int, int]], rows: Sequence[IngestRow], decisions: Mapping[str, str]
) -> Rejects:
    """Take pairs of rows of one picture that share a row together, so that one decision settles all of them."""
    numbers = sorted({i for pair in pairs for i in pair})
    places = {i: place for place, i in enumerate(numbers)}
    joined = DisjointSets(len(numbers))
    for first, second in pairs:
        joined.join(places[first], places[second])
    rejected: Rejects = {}
    for members in joined.sets(range(len(numbers))).values():
        rejected |= _undecided([numbers[place] for place in members], rows, decisions)
    return rejected


def _conflict(members: Sequence[int], rows: Sequence[IngestRow]) -> Rejects:
    of_each_label = sorted({rows[i].label: i for i in reversed(members)}.values())[:NAMED]
    named = " and ".join(f"{rows[i].decision_name} ({rows[i].label!r})" for i in of_each_label)
    others = len(members) - len(of_each_label)
    more = f" and {others:,} more" if others else ""
    reason = (
        f"{named}{more} look like one picture under several labels: look at them, and decide on one {DECIDE}; "
        "where they are different things, decide on each of them (--also)."
    )
    return dict.fromkeys(members, ("conflict", reason))


def _leaks(members: Sequence[int], rows: Sequence[IngestRow]) -> Rejects:
    """Of copies of one picture in several official splits, keep one that trains: the model sees it anyway."""
    kept = min(members, key=lambda i: rows[i].photo.split != "train")
    rejected: Rejects = {}
    for i in members:
        if i != kept:
            names = [f"{rows[k].name} ({rows[k].photo.split})" for k in (i, kept)]
            rejected[i] = "leak", f"{names[0]} is the same picture as {names[1]}: the official split leaks."
    return rejected


def _duplicate(row: IngestRow, first: IngestRow) -> tuple[Kind, str]:
    kind: Kind = "enrolled" if row.photo.is_enrolled else "duplicate"
    return kind, f"{row.name} is the same picture as {first.name}."


def _decided_otherwise(row: IngestRow, decided: IngestRow) -> tuple[Kind, str]:
    reason = f"{row.name} is the same picture as {decided.name}, and somebody decided on that one's label."
    return "duplicate", reason


class _ThingSets:
    """What the rows that are not left out show, pictures or things in them, each once, in sets of near-duplicates.

    Attributes:
        first_rows: number of a row of each thing.
        joined: sets of things, by their place in `first_rows`.
    """

    def __init__(self, rows: Sequence[IngestRow], left_out: Mapping[int, object]) -> None:
        places: dict[Thing, int] = {}
        self.first_rows: list[int] = []
        self._labels: list[set[str]] = []  # an empty image has none
        for i, row in enumerate(rows):
            if i in left_out or row.kind == "unlabelled":
                continue
            place = places.setdefault(_thing(row), len(self.first_rows))
            if place == len(self.first_rows):
                self.first_rows.append(i)
                self._labels.append(set())
            if row.label is not None:
                self._labels[place].add(row.label)
        self.joined = DisjointSets(len(self.first_rows))
        self._join_as_before(rows)

    def _join_as_before(self, rows: Sequence[IngestRow]) -> None:
        first_of_set: dict[str, int] = {}
        for place, i in enumerate(self.first_rows):
            name = rows[i].earlier_near_duplicates
            if name is not None:
                self.joined.join(place, first_of_set.setdefault(name, place))

    def same_before(self) -> list[tuple[int, int]]:
        """Return pairs of rows that the earlier version has as near-duplicates."""
        roots = ((place, self.joined.root(place)) for place in range(len(self.first_rows)))
        return [(self.first_rows[root], self.first_rows[place]) for place, root in roots if root != place]

    def may_be_one_class(self, first: int, second: int) -> bool:
        """Tell whether two things are of one class, or one of them is an empty picture."""
        of_first, of_second = self._labels[first], self._labels[second]
        return not of_first or not of_second or not of_first.isdisjoint(of_second)
