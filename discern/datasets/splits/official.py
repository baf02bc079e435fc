"""The split that a source gives its photos: kept, put aside, or completed by the parts that it lacks.

Rules kept:
- what is split off comes from the source's training photos alone, and by the same rule as photos without a split;
- where the source holds photos of classes that train out, photos are split off, whatever `by` says: a class that has
  photos in its validation split can no longer be held out whole;
- a training photo that belongs to photos of the source's other parts stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from discern.datasets.splits.assign import assign
from discern.datasets.splits.config import HELD_OUT, SplitConfig
from discern.datasets.splits.groups import Assignment, SplitItem, group_items
from discern.sources.base import Split


def with_official_split(items: Sequence[SplitItem], config: SplitConfig) -> list[SplitItem]:
    """Return the items with the source's split as `config.official` wants it.

    Raises:
        DataError: a part that is to be split off needs more classes, or more photos that can be told apart.
    """
    if config.official == "ignore":
        return [replace(item, split=None, role=None) for item in items]
    if config.official == "keep":
        return list(items)
    return _completed(items, config)


def _completed(items: Sequence[SplitItem], config: SplitConfig) -> list[SplitItem]:
    missing = missing_parts(items)
    splittable = _splittable(items) if missing else []
    of_train = [replace(items[i], split=None, role=None, before=_kept(items[i], missing)) for i in splittable]
    completed = list(items)
    if of_train:
        for i, answer in zip(splittable, assign(of_train, _config_for(items, config)), strict=True):
            if answer is not None and answer[0] in missing:
                split, role = answer
                completed[i] = replace(items[i], split=split, role=role, before=None)
    return completed


def missing_parts(items: Sequence[SplitItem]) -> list[Split]:
    """Return the held-out parts that a source lacks which splits some photos; none where it splits none."""
    stated = {item.split for item in items}
    return [split for split in HELD_OUT if split not in stated] if "train" in stated else []


def _splittable(items: Sequence[SplitItem]) -> list[int]:
    """Return the source's training photos, by index, that belong to none of its other parts."""
    groups = group_items(range(len(items)), items)
    tied = {i for group in groups if any(items[k].split in HELD_OUT for k in group.members) for i in group.members}
    return [i for i, item in enumerate(items) if item.split == "train" and item.role is None and i not in tied]


def _kept(item: SplitItem, missing: Sequence[Split]) -> Assignment | None:
    """Return what an earlier version made of a training photo, as long as the source still lacks that part."""
    return item.before if item.before is not None and item.before[0] in {"train", *missing} else None


def _config_for(items: Sequence[SplitItem], config: SplitConfig) -> SplitConfig:
    labels = {part: {item.label for item in items if item.split == part} for part in ("train", *HELD_OUT)}
    is_closed_set = any(labels["train"] & labels[part] for part in HELD_OUT)
    return config.model_copy(update={"by": "photos"}) if is_closed_set else config
