from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from discern.learning.fitted_head import fit_head

Features = NDArray[np.float64]
Labels = NDArray[np.int64]


def gaussians(classes: int, each: int, width: int, *, seed: int = 0) -> tuple[Features, Labels]:
    """Photos of classes whose features vary unlike in every direction, far from the origin."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(width, width)) * rng.uniform(0.1, 3, width)
    labels = np.repeat(np.arange(classes), each)
    means = 5 + rng.normal(size=(classes, width))
    return means[labels] + rng.normal(size=(len(labels), width)) @ mixing, labels


def embed(features: Features, head: tuple[NDArray[np.float32], NDArray[np.float32]]) -> Features:
    vectors = features @ head[0].T + head[1]
    unit: Features = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def recall_at_1(vectors: Features, labels: Labels) -> float:
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    return float((labels[similarity.argmax(1)] == labels).mean())


def within(features: Features, labels: Labels) -> Features:
    """Covariance within the classes, [d, d]."""
    means = np.stack([features[labels == label].mean(0) for label in labels])
    covariance: Features = (features - means).T @ (features - means) / (len(labels) - len(set(labels)))
    return covariance


def test_without_shrinkage_the_covariance_within_classes_is_the_identity() -> None:
    features, labels = gaussians(6, 40, 8)
    weight, bias = fit_head(features, labels, 8, shrinkage=1e-9)
    np.testing.assert_allclose(within(features @ weight.T + bias, labels), np.eye(8), atol=1e-4)


def test_with_shrinkage_it_is_near_the_identity_and_far_nearer_than_before() -> None:
    features, labels = gaussians(6, 40, 8)
    weight, _ = fit_head(features, labels, 8, shrinkage=0.3)
    before, after = (np.linalg.eigvalsh(within(part, labels)) for part in (features, features @ weight.T))
    assert after.max() <= 1 / 0.7 + 1e-6, "no direction varies more than the shrunk covariance says"
    assert after.max() / after.min() < 0.1 * before.max() / before.min()


def test_the_mean_of_the_classes_means_comes_to_0_however_many_photos_each_has() -> None:
    features, labels = gaussians(3, 20, 5)
    kept = np.r_[0:20, 20:23, 40:42]
    weight, bias = fit_head(features[kept], labels[kept], 5)
    means = np.stack([features[kept][labels[kept] == label].mean(0) for label in range(3)])
    np.testing.assert_allclose(means.mean(0) @ weight.T + bias, 0, atol=1e-4)


def test_a_nuisance_direction_no_longer_decides_and_serves_classes_that_were_not_fitted() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(40), 6)
    features = rng.normal(size=(40, 16))[labels] + 0.6 * rng.normal(size=(240, 16))
    light = np.eye(16)[5]
    features += 12 * rng.normal(size=(240, 1)) * light
    fitted, others = labels < 20, labels >= 20
    head = fit_head(features[fitted], labels[fitted], 16)
    plain = (np.eye(16, dtype=np.float32), -features[fitted].mean(0).astype(np.float32))
    before, after = (recall_at_1(embed(features[others], part), labels[others]) for part in (plain, head))
    assert before < 0.8
    assert after > 0.85
    assert np.linalg.norm(head[0] @ light) < 0.3 * np.linalg.norm(head[0], axis=0).mean()


def test_the_directions_are_kept_in_which_classes_differ() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(10), 30)
    features = rng.normal(size=(300, 12))
    features[:, :2] += 20 * rng.normal(size=(10, 2))[labels]
    weight, _ = fit_head(features, labels, 2)
    share = (weight[:, :2] ** 2).sum() / (weight**2).sum()
    assert weight.shape == (2, 12)
    assert share > 0.95


@pytest.mark.parametrize("dim", [10, 64])
def test_fewer_photos_than_features_do(dim: int) -> None:
    features, labels = gaussians(5, 3, 64)
    vectors = embed(features, fit_head(features, labels, dim))
    assert vectors.shape == (15, dim)
    assert np.isfinite(vectors).all()
    assert recall_at_1(vectors, labels) == 1


def test_photos_of_one_class_stay_alike() -> None:
    features, labels = gaussians(1, 8, 20)
    vectors = embed(features, fit_head(features, labels, 12))
    assert np.isfinite(vectors).all()
    assert (vectors @ vectors.T).min() > 0.5


def test_with_one_photo_a_class_the_features_are_centred_and_turned_alone() -> None:
    features, labels = gaussians(6, 1, 9)
    weight, bias = fit_head(features, labels, 9)
    np.testing.assert_allclose(weight @ weight.T, np.eye(9), atol=1e-5)
    np.testing.assert_allclose(features.mean(0) @ weight.T + bias, 0, atol=1e-4)
    centred = features - features.mean(0)
    np.testing.assert_allclose(
        (features @ weight.T + bias) @ (features @ weight.T + bias).T, centred @ centred.T, atol=1e-2
    )


@pytest.mark.parametrize("count", [1, 2])
def test_copies_of_one_photo_and_features_that_are_all_0_give_finite_numbers(count: int) -> None:
    for features in (np.full((2 * count, 4), 3.0), np.zeros((2 * count, 4))):
        for part in fit_head(features, np.arange(2 * count) % 2, 3):
            assert np.isfinite(part).all()


def test_the_order_of_the_photos_changes_no_bit() -> None:
    features, labels = gaussians(5, 3, 32)
    order = np.random.default_rng(3).permutation(len(labels))
    for one, other in zip(fit_head(features, labels, 20), fit_head(features[order], labels[order], 20), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_no_head_can_be_fitted_to_is_refused() -> None:
    features, labels = gaussians(2, 2, 4)
    for wrong, dim in ((features[:0], 2), (features * np.nan, 2), (features, 5)):
        with pytest.raises(ValueError, match="a head needs finite features"):
            fit_head(wrong, labels[: len(wrong)], dim)
