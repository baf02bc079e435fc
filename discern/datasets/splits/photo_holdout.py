"""The choice of the photos that are held out of a class whose other photos train.

Rules kept:
- a group that has an assignment keeps it;
- a new group's split depends on the seed and on its own name, except for the few that fill the splits of a class;
- every class of `MIN_GROUPS` groups and more has one at least in each split; one of fewer only trains;
- every class trains, whatever that takes from the other splits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from discern.datasets.splits.config import HELD_OUT, SplitConfig
from discern.datasets.splits.groups import Group
from discern.sources.base import Split

MIN_GROUPS = 3  # of a class of which photos are held out: one to train, one to calibrate and one to test


def splits_of_groups(groups: Sequence[Group], draws: Sequence[float], config: SplitConfig) -> dict[int, Split]:
    """Choose the split of every new group.

    Args:
        groups: all groups, those with an assignment too.
        draws: [n] a number in [0, 1) for each group.
        config: the shares.

    Returns:
        Position of each new group -> its split.
    """
    balance = _Balance(groups, draws)
    large = balance.classes_of(MIN_GROUPS)
    for i, group in enumerate(groups):
        if not group.before:
            balance.put(i, config.split_at(draws[i]) if large.issuperset(group.labels) else "train")
    for label in sorted(large):
        balance.fill(label, "train", at_any_cost=True)
    for label in sorted(large):
        for split in HELD_OUT:
            balance.fill(label, split)
    return balance.chosen


class _Balance:
    """The splits of new groups, and the number of groups that each class has in each split.

    Attributes:
        chosen: position of each new group -> its split.
    """

    def __init__(self, groups: Sequence[Group], draws: Sequence[float]) -> None:
        self.chosen: dict[int, Split] = {}
        self._groups = groups
        self._counts: Counter[tuple[str, Split]] = Counter()
        self._of_class: dict[str, list[int]] = defaultdict(list)  # in the order of their draws
        for i in sorted(range(len(groups)), key=lambda i: draws[i]):
            for label in groups[i].labels:
                self._of_class[label].append(i)
                self._counts.update((label, split) for split in {split for split, _ in groups[i].before})

    def classes_of(self, fewest: int) -> set[str]:
        """Return the classes of so many groups and more."""
        return {label for label, members in self._of_class.items() if len(members) >= fewest}

    def put(self, group: int, split: Split) -> None:
        """Give a new group its split, or another one."""
        former = self.chosen.get(group)
        for label in self._groups[group].labels:
            self._counts[label, split] += 1
            if former is not None:
                self._counts[label, former] -= 1
        self.chosen[group] = split

    def fill(self, label: str, split: Split, *, at_any_cost: bool = False) -> None:
        """Move a group of the class into a split that has none of it, if one can be spared where it is.

        Args:
            label: the class.
            split: the split.
            at_any_cost: take one that cannot be spared too.
        """
        if self._counts[label, split]:
            return
        new = [group for group in self._of_class[label] if group in self.chosen]
        spare = [group for group in new if self._can_spare(group)] or (new if at_any_cost else [])
        if spare:  # training has the highest draws, the held-out splits have the lowest
            self.put(spare[-1 if split == "train" else 0], split)

    def _can_spare(self, group: int) -> bool:
        split = self.chosen[group]
        return all(self._counts[label, split] > 1 for label in self._groups[group].labels)
