from __future__ import annotations

import numpy as np
import pytest

from discern.evaluation.common_queries import common_answers
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
    both = common_answers(asked("abcx", "bcd"), RULE, asked("abcx", "abc", taken_for="abbx"), RULE)
    assert both.labels == ("a", "b", "c", "d")
    assert both.groups == ["b", "c", "x"]
    assert both.rows.tolist() == [1, 2, 3]
    assert both.truth.tolist() == [1, 2, -1]
    assert both.candidate.tolist() == [1, 2, -1]
    assert both.production.tolist() == [1, 1, -1]


def test_some_of_the_queries_are_selected() -> None:
    both = common_answers(asked("abc", "abc"), RULE, asked("abc", "abc"), RULE).select(np.array([True, False, True]))
    assert (both.groups, both.rows.tolist(), both.truth.tolist()) == (["a", "c"], [0, 2], [0, 2])


def test_other_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="different queries"):
        common_answers(asked("ab", "ab"), RULE, asked("ac", "abc"), RULE)
