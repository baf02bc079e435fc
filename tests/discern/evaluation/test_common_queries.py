from __future__ import annotations

import numpy as np
import pytest

from discern.evaluation.common_queries import common_queries
from discern.evaluation.gallery import Gallery
from discern.evaluation.retrieval import Queries, SearchResults
from edge_runtime.core.identify import DecisionRule

RULE = DecisionRule(threshold=0.5, margin=0.0, fpir=0.1)
PLACE = {label: number for number, label in enumerate("abcdx")}


def asked(labels: str, gallery: str, taken_for: str = "") -> SearchResults:
    """One query of each of `labels` in a gallery of the classes of `gallery`; `taken_for` says what they look like."""
    vectors = np.eye(8, dtype=np.float32)
    rows = [PLACE[label] for label in taken_for or labels]
    enrolled = Gallery(vectors[[PLACE[label] for label in gallery]], np.arange(len(gallery)), tuple(gallery))
    return Queries(vectors[rows], list(labels)).search(enrolled)


def test_classes_are_numbered_alike_whatever_else_is_enrolled() -> None:
    both = common_queries([asked("abcx", "bcd"), asked("abcx", "abc", taken_for="abbx")])
    assert both.rows.tolist() == [1, 2, 3]
    for results, answers in zip(both.results, ([1, 2, -1], [1, 1, -1]), strict=True):
        assert results.labels == ("a", "b", "c", "d")
        assert results.query_labels == ("b", "c", "x")
        assert results.truth.tolist() == [1, 2, -1]
        assert results.answers(RULE).tolist() == answers
    assert both.lost.tolist() == [True, False, False, False]
    assert not both.gained.any()


def test_a_class_that_the_first_alone_enrols_is_gained() -> None:
    both = common_queries([asked("abd", "abd"), asked("abd", "ab"), asked("abd", "b")])
    assert both.rows.tolist() == [1]
    assert both.gained.tolist() == [True, False, True]
    assert not both.lost.any()


def test_one_release_is_asked_all() -> None:
    alone = common_queries([asked("abx", "ba")])
    assert alone.results[0].labels == ("a", "b")
    assert alone.rows.tolist() == [0, 1, 2]


def test_other_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="different queries"):
        common_queries([asked("ab", "ab"), asked("ac", "abc")])
