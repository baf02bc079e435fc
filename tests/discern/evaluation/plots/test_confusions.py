from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import confusion_matrix

from discern.evaluation.plots.answer_quality import answer_qualities
from discern.evaluation.plots.answer_sheet import WRONG
from discern.evaluation.plots.confusions import ConfusionPair, ConfusionTable, confusion_pairs, confusion_picture
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.images import Pixels
from tests.discern.evaluation.cases import drawn, results

RULE = DecisionRule(threshold=0.5, margin=0.0, fpir=0.1)
BY_HAND = results(
    truth=[0, 0, 0, 1, 1, 2, 2, -1, -1],
    best_class=[1, 1, 0, 0, 1, 2, 0, 2, 1],
    best=[0.9, 0.4, 0.9, 0.8, 0.9, 0.9, 0.3, 0.7, 0.2],
)


def test_a_case_worked_by_hand() -> None:
    common = {"first_queries": 3, "second_queries": 2}
    both = ConfusionPair(
        first="class 0", second="class 1", unknown=False, named=2, nearest=3,
        first_named_second=1, second_named_first=1, first_nearest_second=2, second_nearest_first=1, **common,
    )  # fmt: skip
    refused = ConfusionPair(
        first="class 0", second="class 2", unknown=False, named=0, nearest=1,
        first_named_second=0, second_named_first=0, first_nearest_second=0, second_nearest_first=1, **common,
    )  # fmt: skip
    # The other query of the unknown was nearest to class 1 and refused: that is no confusion.
    unknown = ConfusionPair(
        first="unknown", second="class 2", unknown=True, named=1, nearest=1, first_queries=2, second_queries=2,
        first_named_second=1, second_named_first=0, first_nearest_second=1, second_nearest_first=0,
    )  # fmt: skip
    assert confusion_pairs(BY_HAND, RULE).pairs == (both, unknown, refused)


def test_where_all_is_right_there_is_no_pair() -> None:
    assert confusion_pairs(results([0, 1, -1], [0, 1, 2], [0.9, 0.2, 0.2]), RULE).pairs == ()


@settings(deadline=None, max_examples=100)
@given(drawn())
def test_it_is_scikit_learns_confusion_matrix(found: SearchResults) -> None:
    classes = len(found.labels)
    known = found.answers(RULE) == found.best_class
    counts = {}
    for name, chosen in (("nearest", found.enrolled), ("named", found.enrolled & known)):
        pairs = found.truth[chosen], found.best_class[chosen]
        counts[name] = confusion_matrix(*pairs, labels=range(classes)) if chosen.any() else np.zeros((classes, classes))
    table = confusion_pairs(found, RULE)
    seen = {(pair.first, pair.second): pair for pair in table.pairs}
    assert len(seen) == len(table.pairs)
    for i in range(classes):
        for j in range(i + 1, classes):
            pair = seen.get((f"class {i}", f"class {j}"))
            assert (pair.nearest if pair else 0) == counts["nearest"][i, j] + counts["nearest"][j, i]
            assert (pair.first_named_second if pair else 0) == counts["named"][i, j]
            assert (pair.second_named_first if pair else 0) == counts["named"][j, i]
    assert sum(pair.named for pair in table.pairs) == answer_qualities(found, RULE).count("wrong name")
    ranks = [(-pair.named, -pair.nearest) for pair in table.pairs]
    assert ranks == sorted(ranks)


def test_the_table_is_read_back() -> None:
    table = confusion_pairs(BY_HAND, RULE)
    assert ConfusionTable.model_validate_json(table.model_dump_json()) == table
    rows = list(csv.DictReader(io.StringIO(table.csv())))
    assert [ConfusionPair.model_validate(row) for row in rows] == list(table.pairs)


def test_a_name_with_commas_and_lines_stays_one_field() -> None:
    name = 'a,"b"\nc'
    pair = confusion_pairs(BY_HAND, RULE).pairs[0].model_copy(update={"first": name})
    (row,) = csv.DictReader(io.StringIO(ConfusionTable(pairs=(pair,)).csv(), newline=""))
    assert row["first"] == name


def test_a_table_without_pairs_has_a_header() -> None:
    assert ConfusionTable(pairs=()).csv() == ",".join(ConfusionPair.model_fields) + "\n"


def photo_of(label: str) -> Pixels:
    """Another grey for every class."""
    return np.full((20, 30, 3), 40 * ["class 0", "class 1", "class 2", "unknown"].index(label) + 60, np.uint8)


def greys(pairs: tuple[ConfusionPair, ...]) -> set[tuple[int, ...]]:
    pixels = np.asarray(confusion_picture(pairs, photo_of, "heading")).reshape(-1, 3)
    return {tuple(colour.tolist()) for colour in np.unique(pixels, axis=0)}


def test_both_classes_are_shown_and_wrong_names_are_framed() -> None:
    both, unknown, refused = confusion_pairs(BY_HAND, RULE).pairs
    assert {(60,) * 3, (100,) * 3, WRONG} <= greys((both,))
    assert {(180,) * 3, (140,) * 3, WRONG} <= greys((unknown,))
    assert WRONG not in greys((refused,))


def test_the_picture_grows_with_the_pairs() -> None:
    pair = confusion_pairs(BY_HAND, RULE).pairs[0]
    one, two, three = (confusion_picture([pair] * count, photo_of, "heading") for count in (1, 2, 3))
    assert one.width < two.width == three.width
    assert one.height == two.height < three.height


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        confusion_picture([], photo_of, "heading")
