"""What the benchmark of the demo makes of several demos. The demo itself: tests/e2e/test_the_demo.py."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from benchmarks.demo import SHARES, figures_of, reseeded
from cli.demo import CONFIGS
from tests.benchmarks import trials

ONE: dict[str, Any] = {
    "unseen_recall_at_1": 1.0,
    "unseen_tpir": 0.8,
    "tnir": 0.75,
    "enrolled_queries": 20,
    "unknown_queries": 40,
    "milliseconds": 3.0,
    "by_class": {
        "a": {"enrolled": True, "queries": 10, "nearest_right": 10, "answered_right": 10},
        "b": {"enrolled": True, "queries": 10, "nearest_right": 10, "answered_right": 6},
        "c": {"enrolled": False, "queries": 20, "nearest_right": 0, "answered_right": 18},
        "d": {"enrolled": False, "queries": 20, "nearest_right": 0, "answered_right": 12},
    },
}
ENDS = {
    "unseen_recall_at_1_low": 1.0,
    "unseen_recall_at_1_high": 1.0,
    "unseen_tpir_low": 0.6,
    "unseen_tpir_high": 1.0,
    "tnir_low": 0.6,
    "tnir_high": 0.9,
}


def test_one_demo_has_intervals_over_its_classes_and_no_spread() -> None:
    assert figures_of([ONE]) == {key: ONE[key] for key in (*SHARES, "enrolled_queries", "unknown_queries")} | ENDS


def test_several_demos_give_mean_spread_and_the_worst() -> None:
    figures = figures_of([ONE, ONE | {"unseen_tpir": 0.6}])
    assert figures["unseen_tpir"] == 0.7
    assert figures["unseen_tpir_spread"] == pytest.approx(0.2 / 2**0.5, abs=1e-4)
    assert figures["unseen_tpir_worst"] == 0.6
    assert figures["unseen_recall_at_1_spread"] == 0
    assert figures["enrolled_queries"] == 40
    assert {f"{name}_worst" for name in SHARES} <= set(figures)


def test_classes_of_another_demo_are_other_classes() -> None:
    one, four = figures_of([ONE]), figures_of([ONE] * 4)
    trials.check_intervals(four, ("unseen_tpir", "tnir"))
    assert four["tnir_high"] < one["tnir_high"]


def test_another_seed_changes_every_seed_and_nothing_else() -> None:
    data, training = (yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()) for name in ("data", "training"))
    other_data, other_training = reseeded(data, training, 2)
    before = data["parameters"]
    assert other_data["parameters"] == before | {
        "source": before["source"] | {"seed": before["source"]["seed"] + 2},
        "splits": before["splits"] | {"seed": before["splits"]["seed"] + 2},
    }
    before = training["parameters"]
    assert other_training["parameters"] == before | {
        name: before[name] | {"seed": 2} for name in ("teacher", "student")
    }
    assert {**other_data, "parameters": before} == {**data, "parameters": before}
