"""Photos a second of a few short trainings."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import training_throughput
from benchmarks.learning import Recipe
from discern.learning.device import mixed_precision
from tests.benchmarks import trials


def small(recipe: Recipe) -> Recipe:
    return trials.small(recipe).with_trainings(mixed_precision="auto")


def test_each_training_is_timed_in_float32_and_in_what_it_would_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_throughput, "FAMILIES", 6)
    figures = trials.run(training_throughput, tmp_path, shrink=small)
    used = mixed_precision(small(training_throughput.read_recipe("pills")).trainings["teacher"])
    numbers = {"float32", "float32" if used == "no" else used}
    timed = [
        f"{use_case}_{part}_{number}"
        for use_case in ("pills", "pills_lookalike")
        for part in ("teacher", "student")
        for number in numbers
    ]
    assert len(figures) == 2 * len(timed)
    assert all(figures[f"{name}_photos_per_second"] > 0 for name in timed)
    trials.check_shares(figures, (f"{name}_waiting" for name in timed))
