from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from discern.datasets.splits.config import SplitConfig
from discern.datasets.splits.groups import Assignment, Group, SplitItem, group_items
from discern.datasets.splits.photo_holdout import MIN_GROUPS, splits_of_groups
from discern.sources.base import Split
from discern.stable_random import stable_random

EVERY_SPLIT: set[Split] = {"train", "validation", "test"}


def group(key: str, *labels: str, before: Assignment | None = None) -> Group:
    return Group((0,), dict.fromkeys(labels, 1), frozenset() if before is None else frozenset({before}), key)


def chosen(groups: list[Group], config: SplitConfig) -> dict[int, Split]:
    return splits_of_groups(groups, [stable_random(config.seed, "photo", g.key) for g in groups], config)


def splits_of(groups: list[Group], splits: dict[int, Split]) -> dict[str, Counter[Split]]:
    """The number of groups of each class in each split."""
    counts: dict[str, Counter[Split]] = defaultdict(Counter)
    for i, member in enumerate(groups):
        for label in member.labels:
            counts[label].update([splits[i]] if i in splits else {split for split, _ in member.before})
    return counts


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    seed=st.integers(0, 10_000),
    share=st.floats(0.01, 0.49),
)
def test_every_class_of_three_groups_is_in_every_split(sizes: list[int], seed: int, share: float) -> None:
    groups = [group(f"{label}-{i}", f"c{label}") for label, size in enumerate(sizes) for i in range(size)]
    counts = splits_of(groups, chosen(groups, SplitConfig(seed=seed, validation_share=share, test_share=share)))
    for label, size in enumerate(sizes):
        assert set(counts[f"c{label}"]) >= EVERY_SPLIT if size >= MIN_GROUPS else {"train"} == set(counts[f"c{label}"])


def test_the_shares_are_those_of_the_config() -> None:
    groups = [group(f"{label}-{i}", f"c{label}") for label in range(20) for i in range(50)]
    counts = Counter(chosen(groups, SplitConfig(validation_share=0.1, test_share=0.3)).values())
    assert abs(counts["validation"] - 100) < 30
    assert abs(counts["test"] - 300) < 50


def test_what_has_an_assignment_counts_and_does_not_move() -> None:
    groups = [group("1", "a", before=("test", "query")), group("2", "a", before=("test", "query"))]
    groups += [group("3", "a"), group("4", "a")]
    splits = chosen(groups, SplitConfig(test_share=0.98, validation_share=0.01))
    assert set(splits) == {2, 3}
    assert set(splits.values()) == {"train", "validation"}


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_groups_of_several_classes_leave_every_class_something_to_train(
    seed: int, pairs: list[tuple[int, int]]
) -> None:
    groups = [group(f"{i}", *{f"c{first}", f"c{second}"}) for i, (first, second) in enumerate(pairs)]
    counts = splits_of(groups, chosen(groups, SplitConfig(seed=seed, validation_share=0.49, test_share=0.49)))
    assert all(counts[label]["train"] for label in counts)


def test_photos_of_one_session_are_one_group_of_the_minimum() -> None:
    items = [SplitItem("a", f"{i}", session=f"{i % 2}") for i in range(20)]
    groups = group_items(range(20), items)
    assert set(chosen(groups, SplitConfig()).values()) == {"train"}
