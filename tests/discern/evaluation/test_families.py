from __future__ import annotations

from hypothesis import given, settings

from discern.evaluation.families import family_recall_at_1
from discern.evaluation.metrics import measure
from discern.evaluation.retrieval import SearchResults
from tests.discern.evaluation.cases import ACCEPT_ALL, drawn, results


def even_or_odd(label: str) -> str:
    return "odd" if int(label.removeprefix("class ")) % 2 else "even"


def test_a_sibling_is_of_the_right_family_and_an_unknown_does_not_count() -> None:
    # Right, a sibling's name, another family's, an unknown who looks like the last class.
    found = results([0, 0, 0, 1, -1], [0, 2, 1, 3, 3], [0.9] * 5, classes=4)
    assert family_recall_at_1(found, even_or_odd) == 3 / 4
    assert measure(found, ACCEPT_ALL).recall_at_1 == 1 / 4


def test_without_enrolled_queries_nothing_is_said() -> None:
    assert family_recall_at_1(results([-1], [0], [0.9]), even_or_odd) is None


@settings(deadline=None, max_examples=50)
@given(drawn())
def test_families_of_one_are_classes_and_one_family_holds_all(found: SearchResults) -> None:
    recall = measure(found, ACCEPT_ALL).recall_at_1
    by_family = family_recall_at_1(found, even_or_odd)
    assert family_recall_at_1(found, lambda label: label) == recall
    assert family_recall_at_1(found, lambda _: "all") == 1.0
    assert recall is not None
    assert by_family is not None
    assert recall <= by_family
