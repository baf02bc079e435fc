"""Lake's runs on a data set in Omniglot's layout, from the command line to the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import learning, omniglot_lake
from benchmarks.learning import read_recipe, read_version
from discern.datasets.photo_set import load_photos
from tests.benchmarks import trials
from tests.benchmarks.trials import Trial


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trials.small_omniglot(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trial(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trials.twice(omniglot_lake, tmp_path_factory.mktemp("work"), "--photos", str(photos))


def test_the_figures_are_there(trial: Trial) -> None:
    trials.check_intervals(trial.figures, ("student_error", "teacher_error"))
    trials.check_gap(trial.figures)
    assert trial.figures["questions"] == 4
    gap = trial.figures["student_error"] - trial.figures["teacher_error"]
    assert trial.figures["gap_points"] == pytest.approx(100 * gap, abs=1e-3)


def test_development_asks_about_background_alphabets_held_out(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(omniglot_lake, "HELD_OUT", 2)
    figures = trials.development(omniglot_lake, tmp_path, "--photos", str(photos))
    assert figures["questions"] == omniglot_lake.RUNS * 2  # two characters an alphabet
    trials.check_intervals(figures, ("student_error", "teacher_error"))


def test_runs_of_development_are_made_as_lakes_are(photos: Path, tmp_path: Path) -> None:
    recipe = trials.small(read_recipe("omniglot", {"OMNIGLOT": str(photos)}))
    version = read_version(recipe, tmp_path, validation_alphabets=2)
    gallery, queries = omniglot_lake.development_questions(version, recipe.image.preprocessing)
    heldout = load_photos(version.select(split="validation"), recipe.image.preprocessing)
    number_of = {pixels.tobytes(): number for number, pixels in enumerate(heldout.pixels)}
    assert len(number_of) == 2 * 2 * 20  # every drawing is unlike the others
    assert gallery.labels == queries.labels
    alphabets = set()
    for run in range(omniglot_lake.RUNS):
        of_run = [row for row, label in enumerate(gallery.labels) if omniglot_lake.run_of(label) == f"run{run:02d}"]
        assert len({gallery.labels[row] for row in of_run}) == len(of_run) == 2
        people = []
        for part in (gallery, queries):
            drawings = [number_of[part.pixels[row].tobytes()] for row in of_run]
            characters = [heldout.labels[number] for number in drawings]
            assert len({omniglot_lake.run_of(character) for character in characters}) == 1
            assert [c.rpartition("/")[2] for c in characters] == [gallery.labels[r].rpartition("/")[2] for r in of_run]
            people.append({number % 20 for number in drawings})
            alphabets.add(omniglot_lake.run_of(characters[0]))
        assert [len(part) for part in people] == [1, 1]  # one person's drawings
        assert people[0] != people[1]
    assert len(alphabets) == 2


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
