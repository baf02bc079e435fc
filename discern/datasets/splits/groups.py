"""Groups: photos that show nearly the same, and so stay on one side of a split.

Two photos are of one group if they are one picture, near-duplicates of each other, or of one class and there of one
capture session or of one group that their source names; and so on through what these are tied to.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from discern.datasets.disjoint_sets import DisjointSets
from discern.sources.base import Role, Split

Assignment = tuple[Split, Role | None]
"""The split and the role of a photo; an empty image has no role."""


@dataclass(frozen=True, slots=True)
class SplitItem:
    """The facts about one photo, or one object in it, that its split depends on.

    Args:
        label: its class.
        sha256: of its picture.
        group: name of the group that its source puts it into.
        near_duplicates: name of its set of near-duplicates.
        session: name of its capture session.
        split: the split that its source gives it.
        role: the role that its source gives it.
        before: the assignment that it has already, in an earlier version.
    """

    label: str
    sha256: str
    group: str | None = None
    near_duplicates: str | None = None
    session: str | None = None
    split: Split | None = None
    role: Role | None = None
    before: Assignment | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Photos that stay on one side of a split.

    Args:
        members: indices of the photos in the list of all items, rising.
        labels: the number of members of each class.
        before: the assignments that members have already; empty for a new group.
        key: the least sha256 of the members, which names the group in random choices.
    """

    members: tuple[int, ...]
    labels: Mapping[str, int]
    before: frozenset[Assignment]
    key: str


def group_items(indices: Sequence[int], items: Sequence[SplitItem]) -> list[Group]:
    """Return the groups among some items, in the order of their first members.

    Args:
        indices: the items to look at, rising; the others tie nothing together.
        items: all items.
    """
    sets = DisjointSets(len(indices))
    first_with: dict[Hashable, int] = {}
    for number, index in enumerate(indices):
        for tie in ties(items[index]):
            sets.join(number, first_with.setdefault(tie, number))
    return [
        _group([indices[number] for number in members], items) for members in sets.sets(range(len(indices))).values()
    ]


def ties(item: SplitItem) -> Iterator[Hashable]:
    """Yield the keys of an item: two items are of one group if they have a key in common."""
    yield "image", item.sha256
    if item.near_duplicates is not None:
        yield "near", item.near_duplicates
    if item.group is not None:
        yield "group", item.label, item.group
    if item.session is not None:
        yield "session", item.label, item.session


def inherited(groups: Iterable[Group], items: Sequence[SplitItem]) -> dict[int, Assignment]:
    """Return the assignments that members inherit from their groups, by index.

    A photo that has an assignment keeps it. A new photo gets the one of its group; if the group has several, the photo
    ties two sides together and gets none. A new group has nothing to inherit.
    """
    assigned: dict[int, Assignment] = {}
    for group in groups:
        for index in group.members:
            before = items[index].before
            if before is not None:
                assigned[index] = before
            elif len(group.before) == 1:
                (assigned[index],) = group.before
    return assigned


def _group(members: Sequence[int], items: Sequence[SplitItem]) -> Group:
    before = [items[index].before for index in members]
    labels: dict[str, int] = {}  # a Counter takes many times as long to make, and most groups are one photo
    for index in members:
        labels[items[index].label] = labels.get(items[index].label, 0) + 1
    return Group(
        members=tuple(members),
        labels=labels,
        before=frozenset(assignment for assignment in before if assignment is not None),
        key=min(items[index].sha256 for index in members),
    )
