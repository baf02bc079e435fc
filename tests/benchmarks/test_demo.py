"""What the benchmark of the demo makes of several demos. The demo itself: tests/e2e/test_the_demo.py."""

from __future__ import annotations

import pytest
import yaml

from benchmarks.demo import SHARES, figures_of, reseeded
from cli.demo import CONFIGS

ONE = {
    "unseen_recall_at_1": 1.0,
    "unseen_tpir": 0.9,
    "tnir": 0.96,
    "enrolled_queries": 138,
    "unknown_queries": 150,
    "milliseconds": 3.0,
}


def test_one_demo_has_no_spread() -> None:
    assert figures_of([ONE]) == {key: value for key, value in ONE.items() if key != "milliseconds"}


def test_several_demos_give_mean_spread_and_the_worst() -> None:
    figures = figures_of([ONE, ONE | {"unseen_tpir": 0.7}])
    assert figures["unseen_tpir"] == 0.8
    assert figures["unseen_tpir_spread"] == pytest.approx(0.2 / 2**0.5, abs=1e-4)
    assert figures["unseen_tpir_worst"] == 0.7
    assert figures["unseen_recall_at_1_spread"] == 0
    assert figures["enrolled_queries"] == 276
    assert {f"{name}_worst" for name in SHARES} <= set(figures)


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
