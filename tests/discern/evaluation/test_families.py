from __future__ import annotations

from hypothesis import given, settings

from discern.evaluation.families import family_right
from discern.evaluation.metrics import measure
from discern.evaluation.retrieval import SearchResults
from tests.discern.evaluation.cases import ACCEPT_ALL, drawn, results


def even_or_odd(label: str) -> str:
    return "odd" if int(label.removeprefix("class ")) % 2 else "even"


def test_a_sibling_is_of_the_right_family_and_an_unknown_does_not_count() -> None:
    # Right, a sibling's name, another family's, an unknown who looks like the last class.
    found = results([0, 0, 0, 1, -1], [0, 2, 1, 3, 3], [0.9] * 5, classes=4)
    assert family_right(found, even_or_odd).tolist() == [True, True, False, True, False]
    assert measure(found, ACCEPT_ALL).recall_at_1 == 1 / 4


@settings(deadline=None, max_examples=50)
@given(drawn())
def test_families_of_one_are_classes_and_one_family_holds_all(found: SearchResults) -> None:
    assert (family_right(found, lambda label: label) == found.retrieved).all()
    assert (family_right(found, lambda _: "all") == found.enrolled).all()
    assert (found.retrieved <= family_right(found, even_or_odd)).all()
