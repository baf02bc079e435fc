from __future__ import annotations

import numpy as np
import pytest

from benchmarks import fpir_promise
from benchmarks.fpir_promise import Promise, World, halves, promise, small_galleries


def world(classes: int, spread: float) -> World:
    """Classes at random directions, 4 photos each around their own."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, 16))
    vectors = np.repeat(centres, 4, axis=0) + rng.normal(0, spread, (4 * classes, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return World(vectors.astype(np.float32), np.repeat([f"pill-{number:04d}" for number in range(classes)], 4))


def test_a_rule_that_is_fitted_on_many_classes_keeps_its_promise() -> None:
    some = world(600, 0.5)
    kept = promise(some, *halves(some, 0), fpir=0.05)
    assert 0.5 < kept.ratio < 1.6
    assert kept.covered
    assert 0 < kept.tpir < 1


def test_the_halves_share_no_class_and_small_galleries_are_of_the_enrolled_half() -> None:
    enrolled, others = halves(world(300, 0.5), 1)
    assert len(enrolled) == len(others) == 150
    assert set(enrolled).isdisjoint(others)
    for some in small_galleries(enrolled, 1):
        assert len(set(some)) == fpir_promise.FEW_CLASSES
        assert set(some) <= set(enrolled)


def test_the_worst_ratio_is_the_one_farthest_from_1_as_a_factor() -> None:
    of_worlds = [Promise(1.4, True, 0.5), Promise(0.5, False, 0.7)]
    figures = fpir_promise.figures(of_worlds, [Promise(3.0, True, 0.9)], classes=100)
    assert figures["worst_ratio"] == 0.5
    assert (figures["lowest_ratio"], figures["highest_ratio"]) == (0.5, 1.4)
    assert figures["coverage"] == 0.5
    assert figures["tpir"] == pytest.approx(0.6)
    assert (figures["few_worst_ratio"], figures["few_classes"]) == (3.0, 50)
