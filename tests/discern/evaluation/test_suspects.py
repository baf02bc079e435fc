"""Wrong labels that are no copies, and photos unlike their class, found among vectors."""

from __future__ import annotations

import numpy as np
import pytest

from discern.evaluation.suspects import CHUNK, Vectors, find_suspects


def clouds(classes: int, each: int, seed: int = 0) -> tuple[Vectors, list[str]]:
    """Unit vectors around one direction a class."""
    rng = np.random.default_rng(seed)
    middles = np.eye(16, dtype=np.float32)[:classes]
    vectors = np.repeat(middles, each, axis=0) + rng.normal(0, 0.08, (classes * each, 16)).astype(np.float32)
    labels = [f"c{k}" for k in range(classes) for _ in range(each)]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


def none_near(labels: list[str]) -> list[str | None]:
    return [None] * len(labels)


def test_changed_labels_come_first_each_with_a_photo_of_the_class_it_looks_like() -> None:
    vectors, labels = clouds(5, 12)
    wrong = {3: "c4", 20: "c0", 21: "c0", 22: "c0"}  # three of one class in another: they are each other's neighbours
    stated = [wrong.get(i, label) for i, label in enumerate(labels)]
    found = find_suspects(vectors, stated, none_near(labels)).of_another_class
    assert {one.row for one in found[:4]} == set(wrong)
    assert all(labels[one.neighbour] == labels[one.row] and stated[one.neighbour] != stated[one.row] for one in found)
    assert [one.ratio for one in found] == sorted((one.ratio for one in found), reverse=True)


def test_a_sound_set_has_no_suspects() -> None:
    vectors, labels = clouds(5, 12)
    found = find_suspects(vectors, labels, none_near(labels))
    assert found.of_another_class == found.outliers == ()


def test_near_duplicates_of_a_photo_vouch_for_nothing() -> None:
    """A burst that was put into the wrong class is as near to itself as can be."""
    vectors, labels = clouds(3, 12)
    vectors[0:4] = vectors[30]
    near = [("burst" if i < 4 else None) for i in range(len(labels))]
    alone = find_suspects(vectors, labels, none_near(labels)).of_another_class
    assert not {0, 1, 2, 3} & {one.row for one in alone}
    found = find_suspects(vectors, labels, near).of_another_class
    assert {0, 1, 2, 3} <= {one.row for one in found}
    assert {one.neighbour for one in found if one.row < 4} == {30}


def test_a_photo_unlike_its_class_is_an_outlier_beside_its_nearest() -> None:
    vectors, labels = clouds(4, 12)
    vectors[7] = np.eye(16, dtype=np.float32)[9]
    (found,) = find_suspects(vectors, labels, none_near(labels)).outliers
    assert found.row == 7
    assert labels[found.neighbour] == labels[7]
    assert found.neighbour != 7


def test_lists_are_short_and_large_sets_go_in_chunks() -> None:
    vectors, labels = clouds(2, CHUNK)
    stated = [("c0" if label == "c1" else "c1") if i % 5 == 0 else label for i, label in enumerate(labels)]
    found = find_suspects(vectors, stated, none_near(labels), worst=7)
    assert len(found.of_another_class) == 7
    assert {one.row % 5 for one in found.of_another_class} == {0}


@pytest.mark.parametrize("labels", [["a"], ["a", "b"], ["a", "a"]])
def test_too_few_photos_make_no_suspects(labels: list[str]) -> None:
    vectors, _ = clouds(2, 1)
    found = find_suspects(vectors[: len(labels)], labels, none_near(labels))
    assert found.of_another_class == found.outliers == ()
