"""Sample pills by other cameras, few of them, from the command line to the figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import second_camera
from benchmarks.cameras import CAMERAS
from benchmarks.learning import Recipe, read_recipe
from discern.evaluation.gallery import Vectors
from discern.sources.pills import PillsConfig
from tests.benchmarks import trials

# 2 classes are enrolled for validation and 2 for the test, by 2 photos each.
PILLS = PillsConfig(families=12, photos_per_class=5, size=48, seed=7, heldout_families=6, unknowns=2, shots=2)


def few(recipe: Recipe) -> Recipe:
    return trials.small(recipe).model_copy(update={"source": PILLS})


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return trials.run(second_camera, tmp_path_factory.mktemp("work"), shrink=few)


def vectors(number: int, seed: int = 0) -> Vectors:
    """Embeddings that spread around a mean, most along one axis."""
    spread = np.random.default_rng(seed).normal(0, 1, (number, 6)) * [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    return unit(spread + np.eye(6)[1])


def unit(rows: Any) -> Vectors:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.slow
def test_every_camera_has_its_figures_with_either_training(figures: dict[str, Any]) -> None:
    assert (figures["classes"], figures["queries"]) == (4, 4 * 3)
    for camera in ("same", *CAMERAS):
        for suffix in ("", "_mean_shift", "_coral", "_augmented", "_mean_shift_augmented", "_coral_augmented"):
            trials.check_intervals(figures, [f"recall_at_1_{camera}{suffix}"])
    recalls = [figures[f"recall_at_1_{name}"] for name in ("same", "webcam")]
    assert figures["gap_webcam_points"] == pytest.approx(100 * (recalls[0] - recalls[1]), abs=1e-2)
    assert figures["gap_webcam_low"] <= figures["gap_webcam_points"] <= figures["gap_webcam_high"]


def test_both_trainings_see_other_cameras_and_keep_their_other_changes() -> None:
    recipe = read_recipe("pills")
    changed = second_camera.with_camera(recipe, 0.5)
    assert recipe.trainings.keys() == changed.trainings.keys() == {"teacher", "student"}
    for before, after in zip(recipe.trainings.values(), changed.trainings.values(), strict=True):
        assert after.augment.camera == 0.5
        assert after.augment.model_copy(update={"camera": 0.0}) == before.augment


@pytest.mark.parametrize("adapt", [second_camera.mean_shift, second_camera.coral])
def test_what_a_camera_adds_to_every_embedding_is_taken_away(adapt: second_camera.Adapt) -> None:
    gallery = vectors(200)
    by_device = unit(gallery + 0.4 * np.eye(6)[2])
    adapted = second_camera.by_other_half(adapt, by_device, gallery)
    before, after = (np.linalg.norm(rows - gallery, axis=1).mean() for rows in (by_device, adapted))
    assert after < before / 2
    assert np.allclose(np.linalg.norm(adapted, axis=1), 1, atol=1e-5)


def test_coral_gives_the_queries_the_spread_of_the_gallery() -> None:
    gallery, queries = vectors(400), vectors(400, seed=1)[:, [2, 1, 0, 3, 4, 5]]
    adapted = second_camera.coral(queries, queries, gallery)
    assert np.allclose(adapted.std(0), gallery.std(0), atol=0.05)
    assert not np.allclose(queries.std(0), gallery.std(0), atol=0.05)


def test_no_query_is_among_its_own_unlabelled_photos() -> None:
    queries = vectors(7)

    def check(asked: Vectors, unlabelled: Vectors, gallery: Vectors) -> Vectors:
        assert len(asked) + len(unlabelled) == 7
        assert not {row.tobytes() for row in asked} & {row.tobytes() for row in unlabelled}
        return asked

    assert np.array_equal(second_camera.by_other_half(check, queries, queries), queries)
