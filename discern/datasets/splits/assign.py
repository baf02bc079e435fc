"""The rule that gives every photo its split (train, validation, test) and its role (gallery, query).

Rules kept:
- the split and the role that a source gives stay; so do those of an earlier version;
- `by: classes` (open set) holds out whole classes: one that trains has no photo in validation or test. Some photos of a
  held-out class are its gallery, the others are queries; an unknown class is a held-out class that nobody enrols: all
  its photos are queries, and the right answer is "unknown";
- `by: photos` (closed set) gives every class photos to train; what is held out is a query against them;
- `by: auto` splits as the earlier version was split; without one by classes where they suffice, else by photos;
- photos of one group (see `groups`) are never on two sides. A new photo that ties together what was on two sides before
  is left out rather than anything moved;
- images without a label are split elsewhere (`discern.datasets.ingest.assignments`), so none of them moves a labelled
  photo;
- a choice depends on the seed and on the name of what is chosen, so what joins later moves little, and nothing at all
  where the earlier version is given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from discern.datasets.splits.class_holdout import are_enough, draw_unknown_classes, splits_of_classes
from discern.datasets.splits.config import HELD_OUT, SplitConfig
from discern.datasets.splits.groups import Assignment, Group, SplitItem, group_items, inherited
from discern.datasets.splits.photo_holdout import splits_of_groups
from discern.sources.base import Role, Split
from discern.stable_random import stable_random

__all__ = ["Assignment", "SplitConfig", "SplitItem", "assign"]

CLOSED_SET_ROLES: dict[Split, Role] = {"train": "gallery", "validation": "query", "test": "query"}

Assignments = dict[int, Assignment]  # by index of the item


def assign(items: Sequence[SplitItem], config: SplitConfig) -> list[Assignment | None]:
    """Give every photo its split and its role.

    Returns:
        One assignment an item; None for a new photo that would tie two sides together.

    Raises:
        DataError: there are too few classes, or too few whose photos can be told apart.
    """
    by_source = _assigned_by_source(items, config)
    # Where a source splits some photos of a class, the others join those as they would join an earlier version's.
    items = [replace(item, before=by_source[i]) if i in by_source else item for i, item in enumerate(items)]
    unsplit = _of_unsplit_classes(items, by_source)
    split = _split_photos if _is_by_photos(unsplit, items, config) else _split_classes
    assigned = split(unsplit, items, config) | by_source
    return [assigned.get(i) for i in range(len(items))]


def _is_by_photos(indices: Sequence[int], items: Sequence[SplitItem], config: SplitConfig) -> bool:
    """Return True if photos are held out of classes that train."""
    if config.by != "auto":
        return config.by == "photos"
    classes = _classes(indices, items)
    assigned = [{split for split, _ in photos.before} for photos in classes.values()]
    if any(splits & set(HELD_OUT) for splits in assigned):  # as before, however many classes have joined
        return any(len(splits) > 1 for splits in assigned)
    divisible = sum(photos.is_divisible for photos in classes.values())
    return not are_enough(len(classes), divisible, config)


def _of_unsplit_classes(items: Sequence[SplitItem], by_source: Assignments) -> list[int]:
    """Return the photos, by index, of all classes with a photo that the source does not split."""
    labels = {item.label for i, item in enumerate(items) if i not in by_source}
    return [i for i, item in enumerate(items) if item.label in labels]


def _assigned_by_source(items: Sequence[SplitItem], config: SplitConfig) -> Assignments:
    """Assign the photos that their source splits; classes that it holds out without a role are enrolled here."""
    trained = {item.label for item in items if item.split == "train"}
    assigned: Assignments = {}
    without_role: dict[tuple[str, Split], list[int]] = defaultdict(list)
    for i, item in enumerate(items):
        if item.split is None:
            continue
        role = _role_by_source(item, trained)
        if role is None:
            without_role[item.label, item.split].append(i)
        else:
            assigned[i] = item.split, role
    for (_, split), indices in without_role.items():
        assigned |= _enrol(group_items(indices, items), split, items, config)
    return assigned


def _role_by_source(item: SplitItem, trained: set[str]) -> Role | None:
    """Return the role that follows from the source; None where photos to enrol are to choose.

    Args:
        item: a photo that its source splits.
        trained: the classes with photos in the source's training split.
    """
    if item.role is not None:
        return item.role
    if item.split == "train":
        return "gallery"
    return "query" if item.label in trained else None  # the gallery of a class that trains is in training


def _split_photos(indices: Sequence[int], items: Sequence[SplitItem], config: SplitConfig) -> Assignments:
    """Split the groups of photos by themselves; some photos of every class train."""
    groups = group_items(indices, items)
    assigned = inherited(groups, items)
    for i, split in splits_of_groups(groups, [_draw(group, config) for group in groups], config).items():
        assigned |= dict.fromkeys(groups[i].members, (split, CLOSED_SET_ROLES[split]))
    return assigned


@dataclass(frozen=True)
class _PhotoClass:
    """One class and its photos.

    Args:
        members: indices of its photos, rising.
        groups: its photos by group; none where all photos have assignments.
        before: the assignments that photos of it have already, in the order of the photos.
    """

    members: list[int]
    groups: list[Group]
    before: list[Assignment]

    @property
    def is_assigned(self) -> bool:
        """True if none of its photos is new."""
        return len(self.before) == len(self.members)

    @property
    def is_divisible(self) -> bool:
        """True if some photos can be enrolled and others asked."""
        return len(self.groups) > 1

    @property
    def split_before(self) -> Split:
        """The split of a class that has assignments; one with a photo that trains is not held out."""
        splits = [split for split, _ in self.before]
        return "train" if "train" in splits else splits[-1]

    @property
    def was_enrolled(self) -> bool:
        """True if photos of it are in a gallery already."""
        return any(role == "gallery" for _, role in self.before)


def _split_classes(indices: Sequence[int], items: Sequence[SplitItem], config: SplitConfig) -> Assignments:
    """Split whole classes, and enrol those held-out ones that are not unknown."""
    classes = _classes(indices, items)
    splits, unknown = _choose_classes(classes, config)
    assigned: Assignments = {}
    for label, photos in classes.items():
        if photos.is_assigned:
            assigned |= dict(zip(photos.members, photos.before, strict=True))
        elif splits[label] == "train":
            assigned |= _same_for_all(photos.groups, ("train", "gallery"), items)
        elif label in unknown:
            assigned |= _same_for_all(photos.groups, (splits[label], "query"), items)
        else:
            assigned |= _enrol(photos.groups, splits[label], items, config)
    return assigned


def _choose_classes(classes: Mapping[str, _PhotoClass], config: SplitConfig) -> tuple[dict[str, Split], set[str]]:
    """Choose the split of every class, and the unknown ones among those held out."""
    before = {label: photos.split_before for label, photos in classes.items() if photos.before}
    divisible = {label for label, photos in classes.items() if photos.is_divisible}
    splits = splits_of_classes(set(classes), before, divisible, config)
    enrolled_before = {label: classes[label].was_enrolled for label, split in before.items() if split != "train"}
    return splits, draw_unknown_classes(splits, enrolled_before, config)


def _classes(indices: Sequence[int], items: Sequence[SplitItem]) -> dict[str, _PhotoClass]:
    members: dict[str, list[int]] = defaultdict(list)
    for i in indices:
        members[items[i].label].append(i)
    return {label: _photo_class(members_of_class, items) for label, members_of_class in members.items()}


def _photo_class(members: list[int], items: Sequence[SplitItem]) -> _PhotoClass:
    before = [assignment for i in members if (assignment := items[i].before) is not None]
    # Most classes of a growing version have no new photo, and nothing is to be grouped.
    groups = group_items(members, items) if len(before) < len(members) else []
    return _PhotoClass(members, groups, before)


def _same_for_all(groups: Iterable[Group], assignment: Assignment, items: Sequence[SplitItem]) -> Assignments:
    """Give all new groups one assignment; the others keep theirs."""
    assigned = inherited(groups, items)
    for group in groups:
        if not group.before:
            assigned |= dict.fromkeys(group.members, assignment)
    return assigned


def _enrol(groups: Sequence[Group], split: Split, items: Sequence[SplitItem], config: SplitConfig) -> Assignments:
    """Divide a held-out class into gallery and queries.

    Whole groups join the gallery, in random order, until it has `shots` photos; one group at least is left to ask.
    """
    roles = {i: role for i, (_, role) in inherited(groups, items).items()}
    in_gallery = sum(role == "gallery" for role in roles.values())
    has_query = "query" in roles.values()
    new = _new_groups(groups, config)
    for group in new:
        is_last_chance = group is new[-1] and not has_query
        if in_gallery < config.shots and not is_last_chance:
            in_gallery += len(group.members)
            roles |= dict.fromkeys(group.members, "gallery")
        else:
            has_query = True
            roles |= dict.fromkeys(group.members, "query")
    return {i: (split, role) for i, role in roles.items()}


def _new_groups(groups: Iterable[Group], config: SplitConfig) -> list[Group]:
    """Return the groups that have no assignment yet, in random order."""
    return sorted((group for group in groups if not group.before), key=lambda group: _draw(group, config))


def _draw(group: Group, config: SplitConfig) -> float:
    return stable_random(config.seed, "photo", group.key)
