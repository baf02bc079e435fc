from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from discern.errors import DataError
from discern.evaluation.cross_fitting import fit_promised_rule
from discern.evaluation.gallery import GalleryConfig, Vectors, enrol
from discern.evaluation.gallery_fit import Queries, fit_galleries
from discern.evaluation.metrics import measure
from discern.evaluation.retrieval import search

AUTO = GalleryConfig(represent="auto", class_offsets=False)


def on_circle(*degrees: float) -> Vectors:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def asked(names: str, *degrees: float) -> Queries:
    return Queries(on_circle(*degrees), list(names), frozenset())


def test_means_are_taken_where_single_photos_stray() -> None:
    """One photo of each class strays towards the unknowns around 90 degrees; the means do not."""
    gallery, labels = on_circle(0, 0, 60, 180, 180, 120), list("aaabbb")
    queries = asked("aabbss", 10, 20, 170, 160, 75, 105)
    means, photos = fit_galleries(gallery, labels, AUTO, queries, fpir=0.5)
    assert (means.represent, photos.represent) == ("prototype", "exemplars")
    assert (means.metrics.tpir, photos.metrics.tpir) == (1.0, 0.5)
    assert len(means.gallery.vectors) == 2


def test_where_both_detect_equally_many_the_area_under_the_curve_decides() -> None:
    """The unknown beside the stray photo is the one of two who may pass."""
    gallery, labels = on_circle(0, 0, 60, 180, 180, 180), list("aaabbb")
    queries = asked("aabss", 10, -5, 170, 62, 90)
    means, photos = fit_galleries(gallery, labels, AUTO, queries, fpir=0.5)
    assert (means.represent, photos.represent) == ("prototype", "exemplars")
    assert means.metrics.tpir == photos.metrics.tpir == 1.0
    assert (means.metrics.auroc, photos.metrics.auroc) == (1.0, 0.5)


def test_photos_are_taken_where_a_class_has_two_looks() -> None:
    """Class a looks one way or the other, and its mean lies among the unknowns."""
    gallery, labels = on_circle(0, 120, 240, 250), list("aabb")
    queries = asked("aabbss", 5, 115, 242, 248, 60, 65)
    photos, means = fit_galleries(gallery, labels, AUTO, queries, fpir=0.5)
    assert (photos.represent, means.represent) == ("exemplars", "prototype")
    assert photos.metrics.tpir == 1.0
    assert means.metrics.tpir is not None
    assert means.metrics.tpir < 1.0
    assert len(photos.gallery.vectors) == 4


def test_offsets_are_taken_where_the_photos_of_some_classes_are_more_alike_than_those_of_others() -> None:
    """Ten classes are enrolled, of which the first six have photos that are alike; two more are asked."""
    rng = np.random.default_rng(0)

    def of_each(classes: int, count: int) -> Vectors:
        spread = np.repeat([0.1] * 6 + [0.4] * 6, count)[: classes * count, None]
        photos = np.repeat(np.eye(12)[:classes], count, axis=0) + spread * rng.normal(size=(classes * count, 12))
        return (photos / np.linalg.norm(photos, axis=1, keepdims=True)).astype(np.float32)

    gallery, labels = of_each(10, 5), [str(number) for number in range(10) for _ in range(5)]
    queries = Queries(of_each(12, 20), [str(number) for number in range(12) for _ in range(20)])
    better, other = fit_galleries(gallery, labels, GalleryConfig(represent="prototype"), queries, fpir=0.05)
    assert (better.way, other.way) == ("prototype_offsets", "prototype")
    assert better.gallery.offsets is not None
    assert other.gallery.offsets is None
    for name in ("recall_at_1", "tpir", "auroc"):
        assert better.metrics.figures()[name] > other.metrics.figures()[name]


def test_offsets_that_change_nothing_are_not_taken() -> None:
    gallery, labels = on_circle(0, 10, 180, 190), list("aabb")
    first, second = fit_galleries(
        gallery, labels, GalleryConfig(represent="prototype"), asked("abss", 5, 185, 90, 270), fpir=0.5
    )
    assert (first.way, second.way) == ("prototype", "prototype_offsets")
    assert first.metrics == second.metrics


def test_each_comes_with_the_rule_fitted_to_it() -> None:
    gallery, labels = on_circle(0, 120, 240, 250), list("aabb")
    queries = asked("aabbss", 5, 115, 242, 248, 60, 65)
    for fitted in fit_galleries(gallery, labels, AUTO, queries, fpir=0.5):
        expected = enrol(gallery, labels, AUTO.decided(fitted.represent, class_offsets=False))
        np.testing.assert_array_equal(fitted.gallery.vectors, expected.vectors)
        found = search(expected, queries.vectors, queries.labels, frozenset())
        promised = fit_promised_rule(found, 0.5)
        assert (fitted.rule, fitted.rates) == (promised.rule, promised.rates)
        assert fitted.metrics == measure(found, fitted.rule)


def test_where_both_do_equally_well_the_one_with_fewer_rows_is_taken() -> None:
    twins, labels = on_circle(0, 0, 180, 180), list("aabb")
    first, second = fit_galleries(twins, labels, AUTO, asked("abss", 10, 170, 80, 100), fpir=0.5)
    assert (first.represent, second.represent) == ("prototype", "exemplars")
    assert first.metrics == second.metrics


def test_of_one_photo_a_class_nothing_is_to_be_chosen() -> None:
    (only,) = fit_galleries(on_circle(0, 180), ["a", "b"], AUTO, asked("abss", 10, 170, 80, 100), fpir=0.5)
    assert only.represent == "exemplars"
    means = enrol(on_circle(0, 180), ["a", "b"], GalleryConfig(represent="prototype"))
    np.testing.assert_allclose(only.gallery.vectors, means.vectors, atol=1e-7)


@pytest.mark.parametrize("represent", ["exemplars", "prototype"])
def test_what_the_config_says_is_done(represent: str) -> None:
    config = GalleryConfig.model_validate({"represent": represent, "class_offsets": False})
    (only,) = fit_galleries(on_circle(0, 10, 180), list("aab"), config, asked("abss", 10, 170, 80, 100), fpir=0.5)
    assert only.represent == represent


def test_classes_that_trained_are_told_apart() -> None:
    queries = replace(asked("abss", 10, 170, 80, 100), trained=frozenset({"a"}))
    (only,) = fit_galleries(on_circle(0, 180), ["a", "b"], AUTO, queries, fpir=0.5)
    assert only.results.trained.tolist() == [True, False, False, False]


def test_no_unknowns_is_an_error() -> None:
    with pytest.raises(DataError, match="0 unknown queries"):
        fit_galleries(on_circle(0, 180), ["a", "b"], AUTO, asked("ab", 10, 170), fpir=0.5)
