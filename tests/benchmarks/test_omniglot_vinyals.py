"""Episodes of the Vinyals split on a data set in Omniglot's layout, from the command line to the figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import omniglot_vinyals
from discern.errors import DataError
from tests.benchmarks import trials
from tests.benchmarks.trials import Trial

TASKS = ("5way_1shot", "5way_5shot", "20way_1shot", "20way_5shot")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trials.small_omniglot(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trial(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trials.twice(omniglot_vinyals, tmp_path_factory.mktemp("work"), "--photos", str(photos))


def test_the_figures_are_there(trial: Trial) -> None:
    names = [f"{part}_{task}" for part in ("teacher", "student") for task in TASKS]
    trials.check_shares(trial.figures, [f"{name}_half_width" for name in names])
    trials.check_intervals(trial.figures, names)
    trials.check_gap(trial.figures)
    among_all = [trial.figures[f"among_all_gap_{name}"] for name in ("low", "points", "high")]
    assert among_all == sorted(among_all)
    assert (trial.figures["episodes"], trial.figures["queries_per_class"]) == (1000, 15)


def test_development_asks_about_the_validation_characters(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The small set has one of them, four classes when it is turned, and one character shows no spread.
    monkeypatch.setattr(omniglot_vinyals, "TASKS", ((4, 1),))
    monkeypatch.setattr(omniglot_vinyals, "HARDEST", (4, 1))
    with pytest.raises(DataError, match="A gap over 1 class has no interval"):
        trials.development(omniglot_vinyals, tmp_path, "--photos", str(photos))


def test_no_query_answers_itself(trial: Trial) -> None:
    # The drawings of a character have nothing in common here: answers are guesses.
    for part in ("teacher", "student"):
        for task, chance in zip(TASKS, (0.2, 0.2, 0.05, 0.05), strict=True):
            assert trial.figures[f"{part}_{task}"] == pytest.approx(chance, abs=0.1)


def test_nothing_is_trained_again(trial: Trial) -> None:
    trials.check_nothing_was_trained_again(trial, 2)


def test_all_but_the_first_view_of_a_class_are_asked() -> None:
    asked = omniglot_vinyals._queries(np.array([3, 3, 1, 3, 1, 0]))
    assert asked.tolist() == [False, True, False, True, True, False]


def test_the_nearest_first_view_answers() -> None:
    # The first views are those of rows 0 (class 1) and 1 (class 0), along the axes.
    vectors = np.array([[1, 0], [0, 1], [0.8, 0.6], [0.6, 0.8], [0.8, 0.6], [0.6, 0.8]], dtype=np.float32)
    right = omniglot_vinyals._nearest_is_right(vectors, np.array([1, 0, 1, 1, 0, 0]))
    assert right.tolist() == [True, False, False, True]


def test_seeds_are_refused_where_nothing_is_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["omniglot_vinyals", "--photos", "x", "--seeds", "2"])
    with pytest.raises(SystemExit):
        omniglot_vinyals.main()
    assert "unrecognized arguments: --seeds 2" in capsys.readouterr().err
