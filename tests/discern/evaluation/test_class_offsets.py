from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from discern.evaluation.class_offsets import SHARE, class_offsets
from discern.evaluation.gallery import GalleryConfig, enrol
from edge_runtime.core.release import Represent

Vectors = NDArray[np.float32]


def around(centre: int, spread: float, count: int, seed: int, dim: int = 8) -> Vectors:
    """Photos of a class: unit vectors around an axis."""
    vectors = np.eye(dim)[centre] + spread * np.random.default_rng(seed).normal(size=(count, dim))
    photos: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return photos


def slow_likeness(photos: Vectors, represent: Represent) -> float:
    """The definition, in loops: each photo scored in a class of the others."""
    scores = []
    for place, photo in enumerate(photos):
        others = np.delete(photos, place, axis=0)
        if represent == "prototype":
            mean = others.mean(axis=0)
            scores.append(float(photo @ mean / np.linalg.norm(mean)))
        else:
            scores.append(max(float(photo @ other) for other in others))
    return float(np.mean(scores))


@pytest.mark.parametrize("represent", ["prototype", "exemplars"])
@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 99))
def test_they_keep_the_definition(represent: Represent, counts: list[int], seed: int) -> None:
    classes = [around(number, 0.3, count, seed + number) for number, count in enumerate(counts)]
    ids = np.repeat(np.arange(len(counts)), counts)
    likeness = [slow_likeness(photos, represent) if len(photos) > 1 else np.nan for photos in classes]
    mean = np.nanmean(likeness) if max(counts) > 1 else 0.0
    expected = np.nan_to_num(SHARE * (1 - 1 / np.array(counts)) * (np.array(likeness) - mean))
    # In any order of the photos.
    order = np.random.default_rng(seed).permutation(len(ids))
    found = class_offsets(np.concatenate(classes)[order], ids[order], represent)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


def test_more_is_asked_of_a_class_whose_photos_are_alike() -> None:
    alike, differing = around(0, 0.05, 5, seed=0), around(1, 0.4, 5, seed=1)
    offsets = class_offsets(np.concatenate([alike, differing]), np.repeat([0, 1], 5), "prototype")
    assert offsets[0] > 0 > offsets[1]
    assert offsets[0] == pytest.approx(-offsets[1])


def test_photos_that_cancel_each_other_out_are_like_nothing() -> None:
    opposite = np.array([[1, 0], [-1, 0], [1, 0]], dtype=np.float32)
    vectors = np.concatenate([opposite, around(0, 0.1, 2, seed=0, dim=2)])
    assert np.isfinite(class_offsets(vectors, np.array([0, 0, 0, 1, 1]), "prototype")).all()


@pytest.mark.parametrize("represent", ["prototype", "exemplars"])
def test_a_query_between_two_classes_goes_to_the_one_whose_photos_differ(represent: Represent) -> None:
    vectors = np.concatenate([around(0, 0.02, 5, seed=0), around(1, 0.25, 5, seed=1)])
    labels = ["alike"] * 5 + ["differing"] * 5
    offset, plain = (
        enrol(vectors, labels, GalleryConfig(represent=represent, class_offsets=chosen)).index
        for chosen in (True, False)
    )
    # From one class to the other in small steps: about as many queries again go to the second one.
    steps = np.linspace(0, np.pi / 2, 90)
    queries = (np.cos(steps)[:, None] * np.eye(8)[0] + np.sin(steps)[:, None] * np.eye(8)[1]).astype(np.float32)
    to_differing = [(index.best_classes(queries, 1)[0] == 1).sum() for index in (plain, offset)]
    assert to_differing[1] > to_differing[0] + 2
    assert plain.offsets.tolist() == [0, 0]
