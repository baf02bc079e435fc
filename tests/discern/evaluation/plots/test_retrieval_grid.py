from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from discern.evaluation.plots.answer_quality import COLOURS, WORST_FIRST, AnswerQuality, answer_qualities
from discern.evaluation.plots.answer_sheet import RIGHT
from discern.evaluation.plots.retrieval_grid import PLAIN, SIDE, GridRow, Neighbour, retrieval_grid, worst_first
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.images import Pixels
from tests.discern.evaluation.cases import drawn, results

RULE = DecisionRule(threshold=0.6, margin=0.1, fpir=0.1)
RED, BLUE = (200, 10, 10), (10, 10, 200)


def test_a_case_worked_by_hand() -> None:
    queries = [  # truth, found, best, second
        (0, 0, 0.90, 0.20),  # right, .3 above the threshold
        (0, 1, 0.70, 0.30),  # a wrong name
        (-1, 2, 0.95, 0.50),  # an unknown who got a name, and the surest of the wrong ones
        (1, 1, 0.65, 0.60),  # refused: the second class is too near
        (2, 0, 0.50, 0.30),  # refused, and another class was nearest
        (-1, 0, 0.59, 0.10),  # right: an unknown refused by .01
        (1, 1, 0.72, 0.50),  # right by .12
        (-1, 1, 0.20, 0.15),  # right: an unknown .4 below the threshold
        (2, 2, 0.80, 0.68),  # right, but .02 from too small a margin
    ]
    truth, found, best, second = (list(column) for column in zip(*queries, strict=True))
    order = worst_first(results(truth, found, best, second), RULE)
    assert order.tolist() == [2, 1, 3, 4, 5, 8, 6, 0, 7]


def test_equal_ones_stay_in_order() -> None:
    assert worst_first(results([0, 0, -1, -1], [1, 1, 0, 0], [0.9] * 4), RULE).tolist() == [0, 1, 2, 3]


def test_with_one_class_there_is_no_second() -> None:
    found = results([0, 0, -1], [0, 0, 0], [0.9, 0.61, 0.2], [-np.inf] * 3, classes=1)
    assert worst_first(found, RULE).tolist() == [1, 0, 2]


@settings(deadline=None, max_examples=100)
@given(drawn())
def test_every_query_stands_there_once_and_nothing_worse_comes_later(found: SearchResults) -> None:
    order = worst_first(found, RULE)
    assert sorted(order) == list(range(len(found.truth)))
    marks = answer_qualities(found, RULE)
    places = [WORST_FIRST.index(marks[row]) for row in order]
    assert places == sorted(places)
    for wrong in ("wrong name", "refused"):
        confidence = [found.scores[row, 0] for row in order if marks[row] == wrong]
        assert confidence == sorted(confidence, reverse=True)


def plain(colour: tuple[int, int, int]) -> Pixels:
    return np.full((30, 40, 3), colour, np.uint8)


def row(quality: AnswerQuality = "right", neighbours: int = 2, label: str = "blue") -> GridRow:
    near = tuple(Neighbour(plain(BLUE), label, 0.9, own=place == 1) for place in range(neighbours))
    return GridRow(0, plain(RED), (label, f"answer: {label}", "best 0.9"), quality, near)


def colours(rows: list[GridRow]) -> dict[tuple[int, ...], int]:
    found, counts = np.unique(np.asarray(retrieval_grid(rows, "heading")).reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(colour.tolist()): int(count) for colour, count in zip(found, counts, strict=True)}


@pytest.mark.parametrize("quality", WORST_FIRST)
def test_the_query_is_framed_by_what_its_answer_is_worth(quality: AnswerQuality) -> None:
    found = colours([row(quality, neighbours=1)])
    assert {RED, BLUE, PLAIN, COLOURS[quality]} <= set(found)
    assert not {COLOURS[other] for other in WORST_FIRST if other != quality} & set(found)


def test_the_querys_own_class_is_framed_green() -> None:
    assert RIGHT not in colours([row("refused", neighbours=1)])
    assert RIGHT in colours([row("refused", neighbours=2)])


def test_a_row_for_each_query_and_a_column_for_each_neighbour() -> None:
    small, large = retrieval_grid([row()], "heading"), retrieval_grid([row(neighbours=5)] * 3, "heading")
    assert 2 * SIDE < large.height - small.height < 4 * SIDE
    assert 3 * SIDE < large.width - small.width < 4 * SIDE


def test_where_fewer_classes_are_enrolled_the_rest_stays_empty() -> None:
    assert retrieval_grid([row(neighbours=1), row(neighbours=0)], "heading").height > 2 * SIDE


def test_any_label_can_be_drawn() -> None:
    for label in ("", "x" * 500, "Größe 5 €", "a\nb", "錠剤", "$x_1$"):
        assert retrieval_grid([row(label=label)], label).width == retrieval_grid([row()], "heading").width


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one query"):
        retrieval_grid([], "heading")
