"""Products held out, on a data set in the Grocery Store Dataset's layout, from the command line to the figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import grocery_heldout
from benchmarks.learning import Vectors, read_recipe, read_version
from edge_runtime.core.images import Pixels
from tests.benchmarks import trials
from tests.benchmarks.trials import Trial

pytestmark = pytest.mark.long  # several trainings, or several runs of all pipelines

TEST = 10  # photos: 10 unknowns have 100 then, who resolve one false identification in a hundred
ENROLLED, UNKNOWNS = 20, 10


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trials.small_grocery(tmp_path_factory.mktemp("data"), ENROLLED + UNKNOWNS + 6, TEST)


@pytest.fixture(scope="module")
def trial(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trials.twice(grocery_heldout, tmp_path_factory.mktemp("work"), "--photos", str(photos))


def test_the_figures_are_there(trial: Trial) -> None:
    galleries = ("catalogue", "1shot", "5shot")
    each = [f"{figure}_{name}" for figure in ("recall_at_1", "auroc", "tpir_at_fpir_1") for name in galleries]
    trials.check_shares(trial.figures, [*each, "auroc", "tpir_at_fpir_1"])
    assert "gap_points" not in trial.figures, "the recipe has no teacher"


def test_the_open_set_is_told_of_five_photos(trial: Trial) -> None:
    for figure in ("auroc", "tpir_at_fpir_1"):
        assert trial.figures[figure] == trial.figures[f"{figure}_5shot"]


def test_a_trial_is_one_draw(trial: Trial) -> None:
    assert trial.figures["draws"] == 1
    assert "auroc_5shot_spread" not in trial.figures


def test_development_makes_other_draws(photos: Path, tmp_path: Path) -> None:
    trials.development(grocery_heldout, tmp_path, "--photos", str(photos))
    assert {path.parent.name for path in trials.models_in(tmp_path)} == {"100"}


def test_no_query_answers_itself(trial: Trial) -> None:
    # The photos of a class have nothing in common here: who does much better than 1 in 20 saw the queries.
    for name in ("catalogue", "1shot", "5shot"):
        assert trial.figures[f"recall_at_1_{name}"] < 0.3
        assert 0.3 < trial.figures[f"auroc_{name}"] < 0.7


def test_nothing_is_trained_again(trial: Trial) -> None:
    trials.check_nothing_was_trained_again(trial, 1)


@pytest.mark.parametrize(("name", "photos_per_class"), [("catalogue", 1), ("1shot", 1), ("5shot", 5)])
def test_only_products_held_out_are_enrolled_and_asked(
    photos: Path, tmp_path: Path, name: str, photos_per_class: int
) -> None:
    recipe = trials.small(read_recipe("groceries", {"GROCERY_PHOTOS": str(photos)}))
    catalogue, shots = grocery_heldout.GALLERIES[name]
    version = read_version(recipe, tmp_path, seed=3, catalogue=catalogue, shots=shots)
    embedded = []

    def embed(pixels: Pixels) -> Vectors:
        embedded.append(len(pixels))
        vectors = pixels.reshape(len(pixels), -1).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    results = grocery_heldout._search(embed, version, recipe)
    trained = set(version.select(split="train").labels)
    asked = Counter(label for label, again in zip(results.query_labels, results.left_out, strict=True) if not again)
    assert embedded == [ENROLLED * photos_per_class, (ENROLLED + UNKNOWNS) * TEST]
    assert len(results.labels) == ENROLLED
    assert len(asked) == ENROLLED + UNKNOWNS
    assert set(asked.values()) == {TEST}
    assert not trained & (set(asked) | set(results.labels))
    assert results.enrolled.sum() == ENROLLED * TEST
    assert results.left_out.sum() == ENROLLED * TEST  # once more, as if their class were not enrolled
    assert not results.trained.any()
