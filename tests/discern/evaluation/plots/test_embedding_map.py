from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from discern.evaluation.plots import embedding_map as module
from discern.evaluation.plots.answer_quality import COLOURS, AnswerQuality
from discern.evaluation.plots.embedding_map import (
    GREY,
    MAX_PHOTOS,
    PALETTE,
    PHOTO_SIDE,
    Kind,
    MapPoints,
    embedding_map,
    project,
    stratified_sample,
)
from edge_runtime.core.images import Pixels

PHOTO = (255, 0, 255)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def groups(classes: int, each: int, noise: float = 0.05, dim: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings [n, dim] of classes that lie apart, and the class of each."""
    rng = np.random.default_rng(5)
    ids = np.repeat(np.arange(classes), each)
    return unit(unit(rng.normal(size=(classes, dim)))[ids] + noise * rng.normal(size=(len(ids), dim))), ids


def points(classes: int, gallery: int = 1, queries: int = 2, unknowns: int = 0) -> MapPoints:
    vectors, ids = groups(classes + unknowns, gallery + queries)
    place = np.arange(len(ids)) % (gallery + queries)
    kept = (ids < classes) | (place >= gallery)
    kinds: list[Kind] = np.where(ids >= classes, "unknown", np.where(place < gallery, "gallery", "query"))[
        kept
    ].tolist()
    labels = [f"class {number}" for number in ids[kept]]
    right: list[AnswerQuality] = ["right"] * len(labels)
    return MapPoints(vectors[kept], tuple(labels), tuple(kinds), tuple(right))


def photo_of(label: str) -> Pixels:
    return np.full((60, 60, 3), PHOTO, np.uint8)


def sheet_of(points: MapPoints, photo_of: Callable[[str], Pixels] = photo_of) -> Image.Image:
    """Draw the map with its legend."""
    return embedding_map(points, photo_of).sheet(photo_of, "heading")


def count(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """Pixels of about this colour: what is smoothed has few of it alone."""
    distance = np.abs(np.asarray(picture).astype(int) - colour).max(axis=2)
    return int((distance < 30).sum())


def test_every_group_gives_one_before_any_gives_two() -> None:
    names = ["a"] * 10 + ["b"] * 3 + ["c"]
    for limit, counts in ((3, (1, 1, 1)), (5, (2, 2, 1)), (7, (3, 3, 1)), (9, (5, 3, 1)), (99, (10, 3, 1))):
        rows = stratified_sample(names, limit, seed=1)
        assert rows.tolist() == sorted(set(rows.tolist()))
        assert tuple([names[row] for row in rows].count(name) for name in "abc") == counts
    assert set(stratified_sample(list(range(1000)), 10, seed=1)) != set(range(10))
    assert np.array_equal(stratified_sample(names, 5, seed=1), stratified_sample(names, 5, seed=1))


def test_neighbours_stay_neighbours() -> None:
    vectors, ids = groups(8, 12)
    flat, method = project(vectors, seed=0)
    assert method == "t-SNE, perplexity 30"
    distances = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (ids[distances.argmin(axis=1)] == ids).all()


def test_a_seed_makes_one_map_and_another_a_different_one() -> None:
    vectors, _ = groups(8, 5)
    assert np.array_equal(project(vectors, seed=0)[0], project(vectors, seed=0)[0])
    assert np.array_equal(np.asarray(sheet_of(points(5))), np.asarray(sheet_of(points(5))))


@pytest.mark.parametrize("number", [2, 3, 19])
def test_few_points_are_projected_as_scikit_learns_pca_does(number: int) -> None:
    vectors, _ = groups(number, 1)
    flat, method = project(vectors, seed=0)
    assert method == "PCA"
    theirs = PCA(min(2, number)).fit_transform(vectors.astype(np.float64))
    for axis in range(theirs.shape[1]):
        ours = flat[:, axis]
        assert min(np.abs(ours - theirs[:, axis]).max(), np.abs(ours + theirs[:, axis]).max()) < 1e-5


@pytest.mark.parametrize("number", [1, 2, 40])
def test_embeddings_that_are_all_one_lie_in_the_middle(number: int) -> None:
    """A collapsed model must give a picture, not an error."""
    vectors = np.repeat(groups(1, 1)[0], number, axis=0)
    flat, method = project(vectors, seed=0)
    assert method == "PCA"
    assert np.abs(flat).max() < 1e-5
    one = replace(points(1, gallery=number, queries=0), vectors=vectors)
    assert count(sheet_of(one), PALETTE[0])


def test_few_classes_have_a_colour_each_and_photos_in_the_legend() -> None:
    picture = sheet_of(points(5))
    assert all(count(picture, colour) > 100 for colour in PALETTE[:5])
    assert not any(count(picture, colour) for colour in PALETTE[5:7])
    assert count(picture, PHOTO) == 5 * 32 * 32


def test_unknowns_are_marked_apart() -> None:
    without, with_some = (sheet_of(points(5, unknowns=number)) for number in (0, 3))
    assert count(with_some, GREY) > count(without, GREY) + 50


def test_many_classes_have_photos_on_the_map_below_the_points() -> None:
    asked: list[str] = []

    def counted(label: str) -> Pixels:
        asked.append(label)
        return photo_of(label)

    many = points(300, queries=1, unknowns=20)
    picture = sheet_of(many, counted)
    assert 50 < len(asked) == len(set(asked)) <= MAX_PHOTOS
    unknowns = {label for label, kind in zip(many.labels, many.kinds, strict=True) if kind == "unknown"}
    assert not unknowns & set(asked)
    # They lie beside each other, with points and lines on some.
    assert 0.7 < count(picture, PHOTO) / (len(asked) * PHOTO_SIDE**2) < 1
    assert picture.size == sheet_of(points(2)).size


@pytest.mark.parametrize("quality", ["wrong name", "refused"])
def test_what_was_not_answered_right_is_ringed(quality: AnswerQuality) -> None:
    right = points(3)
    wrong = replace(right, qualities=(quality,) * len(right.labels))
    before, after = (count(sheet_of(one), COLOURS[quality]) for one in (right, wrong))
    assert after > before + 9 * 20  # the legend has one of each


def test_of_many_points_some_of_every_class_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_POINTS", 12)
    shown: list[int] = []

    def counted(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
        shown.append(len(vectors))
        return project(vectors, seed)

    monkeypatch.setattr(module, "project", counted)
    sheet_of(points(6, queries=20))
    assert shown == [12]


def test_a_gallery_alone_is_a_map_too() -> None:
    assert count(sheet_of(points(3, gallery=4, queries=0)), PHOTO) == 3 * 32 * 32


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        embedding_map(MapPoints(np.empty((0, 8), np.float32), (), (), ()), photo_of)
