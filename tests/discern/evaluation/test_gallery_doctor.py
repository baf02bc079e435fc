from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from discern.evaluation.gallery import GalleryConfig, enrol
from discern.evaluation.gallery_doctor import examine_photos, photo_curve, photos_for
from discern.evaluation.retrieval import UNKNOWN, Queries
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.release import Represent

DIM = 8
RULE = DecisionRule(threshold=0.5, margin=0.05, fpir=0.1)


def near(centre: NDArray[np.float32], count: int, noise: float, seed: int) -> NDArray[np.float32]:
    vectors = centre + np.random.default_rng(seed).normal(0, noise, (count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def world(
    classes: int, photos: int, noise: float = 0.2
) -> tuple[NDArray[np.float32], list[str], NDArray[np.float32], list[str]]:
    """Gallery vectors with labels, and queries with labels."""
    centres = near(np.zeros(DIM, np.float32), classes, 1.0, seed=1)
    gallery = np.concatenate([near(centre, photos, noise, 10 + n) for n, centre in enumerate(centres)])
    queries = np.concatenate([near(centre, 6, noise, 90 + n) for n, centre in enumerate(centres)])
    names = [f"class {number}" for number in range(classes)]
    return gallery, [name for name in names for _ in range(photos)], queries, [name for name in names for _ in range(6)]


def config(represent: Represent, *, offsets: bool = False) -> GalleryConfig:
    return GalleryConfig(represent=represent, class_offsets=offsets)


def right(
    vectors: NDArray[np.float32], labels: list[str], names: list[str], queries: Queries, represent: Represent
) -> NDArray[np.bool_]:
    """Which queries are answered right in the gallery of these photos; an unknown's right answer is `unknown`."""
    gallery = enrol(vectors, labels, config(represent))
    results = queries.search(gallery)
    answers = [gallery.labels[number] if number != UNKNOWN else None for number in results.answers(RULE)]
    asked = queries.left_out if queries.left_out is not None else np.zeros(len(names), dtype=bool)
    expected = [None if out else name for name, out in zip(names, asked, strict=True)]
    return np.array([answer == truth for answer, truth in zip(answers, expected, strict=True)])


@pytest.mark.parametrize("represent", ["exemplars", "prototype"])
def test_near_duplicates_are_left_out_together(represent: Represent) -> None:
    vectors, labels, asked, names = world(3, 3)
    queries = Queries(asked, names)
    pictures = [0, 0, 1, 2, 2, 2, *range(3, 6)]
    reports = examine_photos(vectors, labels, config(represent), RULE, queries, pictures)
    alone = vectors[0] @ vectors[2]  # the only other picture of its class
    assert reports[0].own_score == pytest.approx(float(alone), abs=1e-6)
    assert [report.own_score for report in reports[3:6]] == [None] * 3
    assert [report.own_score for report in reports[6:]] == [
        pytest.approx(report.own_score, abs=1e-6)
        for report in examine_photos(vectors, labels, config(represent), RULE, queries)[6:]
    ]


@pytest.mark.parametrize(("represent", "classes"), [("exemplars", 7), ("prototype", 3)])
def test_help_and_harm_are_what_taking_the_photo_away_changes(represent: Represent, classes: int) -> None:
    vectors, labels, asked, names = world(classes, 3, noise=0.35)
    names = names * 2
    queries = Queries(np.concatenate([asked, asked]), names, left_out=np.repeat([False, True], len(asked)))
    reports = examine_photos(vectors, labels, config(represent), RULE, queries)
    before = right(vectors, labels, names, queries, represent)
    for row, report in enumerate(reports):
        rest = [other for other in range(len(labels)) if other != row]
        after = right(vectors[rest], [labels[other] for other in rest], names, queries, represent)
        assert (report.row, report.help, report.harm) == (row, (before & ~after).sum(), (~before & after).sum())
    assert sum(report.help for report in reports) > 0
    assert sum(report.harm for report in reports) > 0


def test_a_photo_with_a_wrong_label_is_found() -> None:
    vectors, labels, asked, names = world(5, 4, noise=0.1)
    labels[2] = "class 3"
    reports = examine_photos(vectors, labels, config("exemplars"), RULE, Queries(asked, names))
    assert max(reports, key=lambda report: report.excess).row == 2
    assert all(report.excess < 0 for report in reports[4:])
    assert (reports[2].answer, reports[2].other) == ("class 0", "class 0")
    assert reports[2].other_score > 0.9 > (reports[2].own_score or 0)


def test_a_photo_like_the_others_is_redundant_and_an_only_one_is_not() -> None:
    vectors, labels, asked, names = world(3, 2, noise=0.01)
    labels[-1] = "alone"
    reports = examine_photos(vectors, labels, config("exemplars"), RULE, Queries(asked, names))
    assert [report.is_redundant for report in reports] == [True] * 4 + [False] * 2
    assert reports[-1].own_score is None
    assert reports[-1].excess < 0


@pytest.mark.parametrize("offsets", [False, True])
def test_one_class_has_no_other(offsets: bool) -> None:
    vectors, labels, asked, names = world(1, 3, noise=0.05)
    reports = examine_photos(vectors, labels, config("exemplars", offsets=offsets), RULE, Queries(asked, names))
    assert {(report.other, report.other_score, report.answer) for report in reports} == {(None, -1.0, "class 0")}


def test_the_curve_rises_with_the_photos_and_ends_with_the_gallery() -> None:
    vectors, labels, asked, names = world(12, 5, noise=0.3)
    queries = Queries(np.concatenate([asked, asked]), names * 2, left_out=np.repeat([False, True], len(asked)))
    curve = photo_curve(vectors, labels, config("exemplars"), queries, queries, 0.1)
    assert [point.photos for point in curve] == [1, 2, 3, 5]
    assert curve[-1].tpir > curve[0].tpir
    assert curve == photo_curve(vectors, labels, config("exemplars"), queries, queries, 0.1)
    assert photos_for(curve, curve[-1].tpir + 0.01) is None
    assert photos_for(curve, 0.0) == 1
