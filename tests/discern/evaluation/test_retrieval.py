from __future__ import annotations

import numpy as np
import pytest

from discern.errors import DataError
from discern.evaluation.gallery import Gallery
from discern.evaluation.retrieval import search
from edge_runtime.core.identify import DecisionRule

GALLERY = Gallery(
    vectors=np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 1, 0], [0, 0, 1]], np.float32),
    class_ids=np.array([0, 0, 1, 2]),
    labels=("apple", "banana", "cherry"),
)
QUERIES = np.array([[0.8, 0.6, 0], [0, 0.6, 0.8], [0, 0.8, 0.6], [-1, 0, 0]], np.float32)
LABELS = ("apple", "cherry", "cherry", "durian")
RULE = DecisionRule(threshold=0.5, margin=0.15, fpir=0.1)


def test_search_gives_the_best_class_by_its_best_gallery_row() -> None:
    found = search(GALLERY, QUERIES, LABELS, frozenset({"apple"}))
    assert found.truth.tolist() == [0, 2, 2, -1]
    assert found.best_class.tolist()[:3] == [0, 2, 1]
    np.testing.assert_allclose(found.scores[:3], [[1, 0.6], [0.8, 0.6], [0.8, 0.6]], atol=1e-6)
    assert found.labels == GALLERY.labels
    assert found.query_labels == LABELS
    assert found.trained.tolist() == [True, False, False, False]


def test_a_query_of_a_class_that_is_not_enrolled_is_an_unknown() -> None:
    found = search(GALLERY, QUERIES, LABELS, frozenset())
    assert found.enrolled.tolist() == [True, True, True, False]
    assert found.retrieved.tolist() == [True, True, False, False]


def test_unknown_is_the_right_answer_to_an_unknown_alone() -> None:
    found = search(GALLERY, QUERIES, LABELS, frozenset())
    assert found.answers(RULE).tolist() == [0, 2, 1, -1]
    assert found.right(RULE).tolist() == [True, True, False, True]
    strict = DecisionRule(threshold=0.9, margin=0.0, fpir=0.1)
    assert found.answers(strict).tolist() == [0, -1, -1, -1]
    assert found.right(strict).tolist() == [True, False, False, True]


def test_a_gallery_of_one_class_has_no_second() -> None:
    of_one_class = Gallery(GALLERY.vectors[:2], np.array([0, 0]), ("apple",))
    found = search(of_one_class, QUERIES, LABELS, frozenset())
    assert found.scores[:, 1].tolist() == [-np.inf] * 4
    assert found.answers(RULE).tolist() == [0, -1, -1, -1]


def test_no_query_is_an_error() -> None:
    with pytest.raises(DataError, match="no query to evaluate"):
        search(GALLERY, np.empty((0, 3), np.float32), [], frozenset())
