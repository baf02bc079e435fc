from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from discern.evaluation.plots.reliability import reliability_picture
from discern.evaluation.reliability import reliability


def drawn(probability: list[float], right: list[int], heading: str = "Test queries") -> Image.Image:
    found = reliability(np.array(probability, float), np.array(right, bool))
    assert found is not None
    return reliability_picture(found, heading)


def ink(picture: Image.Image) -> float:
    return float((np.asarray(picture).min(axis=2) < 128).mean())


def test_a_picture_shows_the_points_and_is_small() -> None:
    rng = np.random.default_rng(0)
    probability = rng.uniform(0, 1, 500)
    full = drawn(probability.tolist(), (rng.uniform(size=500) < probability).astype(int).tolist())
    few = drawn([0.95], [1])
    assert full.mode == "RGB"
    assert full.size == few.size == (648, 768)
    assert 0.005 < ink(few) < ink(full) < 0.2


def test_points_lie_where_they_were_observed() -> None:
    good, bad = drawn([0.95] * 50, [1] * 50), drawn([0.95] * 50, [0] * 50)
    differs = np.abs(np.asarray(good, int) - np.asarray(bad, int)).max(axis=2) > 100
    rows, columns = np.nonzero(differs[60:520])  # below the heading, above the counts
    assert 590 < columns.min() < columns.max() < 615  # .95 of the way along the axis
    assert rows.min() < 100
    assert rows.max() > 350


@pytest.mark.parametrize("heading", ["$x", "a_b^c $1$", "", "<script>"])
def test_a_heading_is_text(heading: str) -> None:
    assert ink(drawn([0.5], [1], heading)) > 0


def test_the_same_numbers_give_the_same_picture() -> None:
    assert drawn([0.2, 0.7], [0, 1]).tobytes() == drawn([0.2, 0.7], [0, 1]).tobytes()
