"""Lake's runs on a data set in Omniglot's layout, from the command line to the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import learning, omniglot_lake
from tests.benchmarks import trials
from tests.benchmarks.trials import Trial


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trials.small_omniglot(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trial(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trials.twice(omniglot_lake, tmp_path_factory.mktemp("work"), "--photos", str(photos))


def test_the_figures_are_there(trial: Trial) -> None:
    trials.check_shares(trial.figures, ("student_error", "teacher_error"))
    trials.check_gap(trial.figures)
    assert trial.figures["questions"] == 4
    gap = trial.figures["student_error"] - trial.figures["teacher_error"]
    assert trial.figures["gap_points"] == pytest.approx(100 * gap, abs=1e-3)


def test_one_seed_has_no_spread(trial: Trial) -> None:
    assert trial.figures["seeds"] == 1
    assert "student_error_spread" not in trial.figures


def test_nothing_is_trained_again(trial: Trial) -> None:
    trials.check_nothing_was_trained_again(trial, 2)


def test_what_was_interrupted_goes_on(
    photos: Path, trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(learning, "distil_student", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trials.run(omniglot_lake, tmp_path, "--photos", str(photos))
    monkeypatch.undo()
    (teacher,) = trials.models_in(tmp_path).items()
    assert teacher[0].name.startswith("teacher-")
    assert trials.run(omniglot_lake, tmp_path, "--photos", str(photos)) == trial.figures
    assert teacher in trials.models_in(tmp_path).items()


def test_seeds_are_trained_apart(photos: Path, trial: Trial, tmp_path: Path) -> None:
    figures = trials.run(omniglot_lake, tmp_path, "--photos", str(photos), "--seeds", "2")
    assert figures["seeds"] == 2
    assert figures["student_error_spread"] >= 0
    assert len(trials.models_in(tmp_path)) == 4
    # The gap is that of the first seed.
    assert [figures[name] for name in trials.GAP] == [trial.figures[name] for name in trials.GAP]


@pytest.mark.parametrize(("label", "run"), [("run01/class07", "run01"), ("run20/class20", "run20"), ("class07", "")])
def test_the_run_of_a_label(label: str, run: str) -> None:
    assert omniglot_lake.run_of(label) == run
