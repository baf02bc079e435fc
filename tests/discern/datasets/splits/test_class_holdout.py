from __future__ import annotations

from collections import Counter

import pytest

from discern.datasets.splits.class_holdout import draw_unknown_classes, splits_of_classes
from discern.datasets.splits.config import SplitConfig
from discern.errors import DataError
from discern.sources.base import Split


def labels(count: int) -> set[str]:
    return {f"c{i}" for i in range(count)}


def test_splits_of_classes_draws_about_the_shares() -> None:
    counts = Counter(splits_of_classes(labels(1000), {}, labels(1000), SplitConfig()).values())
    assert sum(counts.values()) == 1000
    assert abs(counts["test"] - 200) < 40
    assert abs(counts["validation"] - 200) < 40


def test_splits_of_classes_keeps_an_earlier_split_and_holds_out_no_class_that_cannot_be_divided() -> None:
    before: dict[str, Split] = {"c0": "test", "c1": "train", "c2": "validation"}
    splits = splits_of_classes(labels(40), before, labels(30), SplitConfig())
    assert all(splits[label] == split for label, split in before.items())
    assert all(splits[f"c{i}"] == "train" for i in range(30, 40))


def test_splits_of_classes_fills_small_splits_and_leaves_two_classes_to_train() -> None:
    for seed in range(20):
        config = SplitConfig(seed=seed, validation_share=0.05, test_share=0.9)
        assert Counter(splits_of_classes(labels(8), {}, labels(8), config).values()) == {
            "train": 2,
            "test": 3,
            "validation": 3,
        }


def test_splits_of_classes_says_how_many_classes_are_missing() -> None:
    with pytest.raises(DataError, match="there are 7 classes, and at least 8 are needed"):
        splits_of_classes(labels(7), {}, labels(7), SplitConfig())
    assert splits_of_classes(set(), {}, set(), SplitConfig()) == {}


def test_too_few_classes_are_enough_where_none_has_to_be_held_out_anew() -> None:
    before: dict[str, Split] = {"c0": "train", "c1": "test", "c2": "validation"}
    assert splits_of_classes(labels(3), before, labels(3), SplitConfig()) == before
    with pytest.raises(DataError, match="there are 4 classes, and at least 8 are needed"):
        splits_of_classes(labels(4), before, labels(4), SplitConfig())
    held_out: dict[str, Split] = {f"c{i}": "test" if i < 3 else "validation" for i in range(6)}
    assert splits_of_classes(labels(7), held_out, labels(7), SplitConfig()) == {**held_out, "c6": "train"}


def test_draw_unknown_classes_takes_the_share_of_each_split_and_leaves_two_to_enrol() -> None:
    splits: dict[str, Split] = {f"c{i}": "test" if i < 10 else "validation" for i in range(13)} | {"t": "train"}
    for share, test, validation in ((0, 0, 0), (0.01, 1, 1), (0.3, 3, 1), (0.9, 8, 1)):
        unknown = draw_unknown_classes(splits, {}, SplitConfig(unknown_share=share))
        assert Counter(splits[label] for label in unknown) == Counter(test=test, validation=validation)


def test_draw_unknown_classes_counts_earlier_unknown_classes_in_the_share() -> None:
    splits: dict[str, Split] = {f"c{i}": "test" for i in range(20)}
    before = {f"c{i}": i >= 3 for i in range(10)}  # c0, c1 and c2 were unknown
    unknown = draw_unknown_classes(splits, before, SplitConfig(unknown_share=0.3))
    assert {"c0", "c1", "c2"} <= unknown
    assert len(unknown) == 6
    assert not unknown & {f"c{i}" for i in range(3, 10)}


def test_draw_unknown_classes_enrols_all_new_classes_where_enough_are_unknown() -> None:
    splits: dict[str, Split] = {f"c{i}": "test" for i in range(12)}
    before = {f"c{i}": i >= 5 for i in range(8)}
    assert draw_unknown_classes(splits, before, SplitConfig(unknown_share=0.3)) == {f"c{i}" for i in range(5)}


def test_splits_of_classes_holds_out_every_drawn_class_where_enough_others_train() -> None:
    splits = splits_of_classes(labels(30), {}, labels(10), SplitConfig(validation_share=0.49, test_share=0.5))
    assert {label for label, split in splits.items() if split != "train"} == labels(10)
