from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from discern.evaluation.plots.answer_quality import answer_qualities
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import DecisionRule
from tests.discern.evaluation.cases import drawn, results

RULE = DecisionRule(threshold=0.5, margin=0.0, fpir=0.1)


def test_every_kind_of_answer() -> None:
    found = results([0, 0, 0, 0, -1, -1], [0, 1, 0, 1, 2, 2], [0.9, 0.9, 0.1, 0.1, 0.9, 0.1])
    assert answer_qualities(found, RULE) == ["right", "wrong name", "refused", "refused", "wrong name", "right"]


@settings(deadline=None, max_examples=50)
@given(drawn())
def test_right_is_what_the_figures_call_right(found: SearchResults) -> None:
    marks = np.array(answer_qualities(found, RULE))
    assert np.array_equal(marks == "right", found.right(RULE))
    assert not (marks[~found.enrolled] == "refused").any()
