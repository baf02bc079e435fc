from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import t

from discern.evaluation.metrics import macro_precision_recall
from discern.evaluation.paired_figures import FIGURES, paired_intervals, paired_share

ANSWERS = arrays.arrays(np.int64, (3, 40), elements=st.integers(-1, 4))


def direct(truth: np.ndarray, answered: np.ndarray) -> dict[str, float]:
    """The figures of one model, as the metrics compute them; 0 where there is nothing to divide by."""
    precision, recall = macro_precision_recall(truth, answered)
    right, enrolled = truth == answered, truth >= 0
    return {
        "accuracy": right.mean(),
        "precision": precision or 0.0,
        "recall": recall or 0.0,
        "TPIR": right[enrolled].mean(),
        "TNIR": right[~enrolled].mean(),
    }


def of_classes(truth: np.ndarray, row: np.ndarray) -> list[str]:
    """The class of each query; unknowns are of three classes."""
    return [
        f"class {number}" if number >= 0 else f"unknown {place % 3}" for number, place in zip(truth, row, strict=True)
    ]


@settings(deadline=None, max_examples=60)
@given(ANSWERS)
def test_differences_are_those_of_the_metrics(answers: np.ndarray) -> None:
    truth, first, second = answers
    truth[:3] = [0, 1, -1]
    intervals = paired_intervals(truth, first, second, of_classes(truth, np.arange(40)))
    new, old = direct(truth, first), direct(truth, second)
    for name, interval in intervals.items():
        assert interval.difference == pytest.approx(new[name] - old[name])
        assert interval.at_least is not None
        assert -1 <= interval.low <= interval.at_least < interval.difference < interval.high <= 1 or (
            abs(interval.difference) == 1
        )


def test_the_spread_is_that_of_leaving_out_one_class_at_a_time() -> None:
    rng = np.random.default_rng(5)
    truth = np.where(rng.random(400) < 0.7, rng.integers(0, 8, 400), -1)
    first, second = (np.where(rng.random(400) < share, truth, rng.integers(-1, 8, 400)) for share in (0.8, 0.6))
    groups = of_classes(truth, np.arange(400))
    intervals = paired_intervals(truth, first, second, groups)
    for name in FIGURES:
        holding = [label for label in sorted(set(groups)) if name == "accuracy" or (name == "TNIR") == ("unk" in label)]
        changes = []
        for label in holding:
            kept = np.array(groups) != label
            left = [
                np.where(answers == int(label[-1]), 99, answers) if "class" in label else answers
                for answers in (first, second)
            ]
            new, old = (without(truth[kept], answers[kept])[name] for answers in left)
            changes.append(new - old)
        count = len(holding)
        error = np.sqrt((count - 1) / count * np.var(changes) * count)
        queries = {"accuracy": 400, "TNIR": int((truth < 0).sum())}.get(name, int((truth >= 0).sum()))
        half = np.hypot(t.ppf(0.975, count - 1) * error, t.ppf(0.975, count - 1) * np.sqrt(2) / queries)
        assert intervals[name].high - intervals[name].difference == pytest.approx(half), name
        assert intervals[name].groups == count


def without(truth: np.ndarray, answered: np.ndarray) -> dict[str, float]:
    """The figures without a class: answers with its name (99) are of no class any more, and are wrong."""
    figures = direct(truth, answered)
    precision, _ = macro_precision_recall(truth, np.where(answered == 99, -1, answered))
    return figures | {"precision": precision or 0.0}


def test_accuracy_of_classes_of_one_size_has_the_interval_of_a_t_test() -> None:
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(30), 20)
    first, second = (np.where(rng.random(600) < 0.7, truth, -1) for _ in range(2))
    interval = paired_intervals(truth, first, second, [str(number) for number in truth])["accuracy"]
    means = ((first == truth).astype(float) - (second == truth)).reshape(30, 20).mean(axis=1)
    half = t.ppf(0.975, 29) * np.hypot(means.std(ddof=1) / np.sqrt(30), np.sqrt(2) / 600)
    assert interval.low == pytest.approx(means.mean() - half)


def test_classes_in_which_both_are_right_alike_tell_nothing_of_the_spread() -> None:
    truth = np.repeat(np.arange(30), 20)
    first = truth.copy()
    second = np.where(np.arange(600) % 20 < 5, -1, truth)
    second[40:] = truth[40:]  # they differ in two classes alone
    wide = paired_intervals(truth, first, second, [str(number) for number in truth])["accuracy"]
    assert wide.low < 0 < wide.difference


def test_what_is_asked_in_fewer_than_two_classes_has_no_interval() -> None:
    truth = np.array([0, 0, 1, 1, -1, -1])
    groups = ["a", "a", "b", "b", "u", "u"]
    assert set(paired_intervals(truth, truth, truth, groups)) == set(FIGURES) - {"TNIR"}
    assert set(paired_intervals(truth[2:], truth[2:], truth[2:], groups[2:])) == {"accuracy"}


def test_shares_of_the_same_photos_are_compared_photo_by_photo() -> None:
    old = np.arange(100) % 10 > 0
    new = old | (np.arange(100) < 50)
    interval = paired_share(new, old)
    assert interval is not None
    assert interval.difference == pytest.approx(0.05)
    assert paired_share(new[:1], old[:1]) is None
