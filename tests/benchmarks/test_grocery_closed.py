"""The official split on a data set in the Grocery Store Dataset's layout, from the command line to the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import grocery_closed
from tests.benchmarks import trials
from tests.benchmarks.trials import Trial

CLASSES, TEST, VALIDATION = 8, 3, 1


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trials.small_grocery(tmp_path_factory.mktemp("data"), CLASSES, TEST)


@pytest.fixture(scope="module")
def trial(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trials.twice(grocery_closed, tmp_path_factory.mktemp("work"), "--photos", str(photos))


def test_the_figures_are_there(trial: Trial) -> None:
    trials.check_intervals(trial.figures, ("fine_accuracy", "coarse_accuracy"))
    assert trial.figures["coarse_accuracy"] >= trial.figures["fine_accuracy"]
    assert "fine_accuracy_spread" not in trial.figures
    assert trial.figures["queries"] == CLASSES * TEST


def test_development_asks_about_the_validation_list(photos: Path, tmp_path: Path) -> None:
    assert trials.development(grocery_closed, tmp_path, "--photos", str(photos))["queries"] == CLASSES * VALIDATION


def test_no_query_answers_itself(trial: Trial) -> None:
    # The photos of a class have nothing in common here: who does much better than 1 in 8 saw the queries.
    assert trial.figures["fine_accuracy"] < 0.5


def test_nothing_is_trained_again(trial: Trial) -> None:
    trials.check_nothing_was_trained_again(trial, 1)
