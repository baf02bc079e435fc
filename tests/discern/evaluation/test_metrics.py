from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from scipy.stats import rankdata
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from discern.evaluation.gallery import GalleryConfig, enrol
from discern.evaluation.metrics import class_precision_recall, macro_precision_recall, measure, unknown_auroc
from discern.evaluation.retrieval import Queries, SearchResults
from edge_runtime.core.identify import DecisionRule
from tests.discern.evaluation.cases import ACCEPT_ALL, drawn, results

RULE = DecisionRule(threshold=0.5, margin=0.1, fpir=0.1)


def by_hand() -> SearchResults:
    """Classes 0 and 1 are enrolled, class 1 was trained on, two queries are unknowns' (-1)."""
    return results(
        truth=[0, 0, 0, 1, 1, -1, -1],
        best_class=[0, 0, 1, 1, 1, 1, 0],
        best=[0.9, 0.4, 0.8, 0.9, 0.7, 0.8, 0.2],
        second=[0.1, 0.1, 0.2, 0.1, 0.65, 0.1, 0.1],
        classes=2,
        trained=[False, False, False, True, True, False, False],
    )


def test_every_figure_of_a_case_worked_by_hand() -> None:
    # Answers under the rule: 0, unknown (low), 1 (wrong), 1, unknown (margin), 1 (an unknown named), unknown (right).
    figures = measure(by_hand(), RULE)
    assert figures.recall_at_1 == pytest.approx(4 / 5)
    assert figures.unseen_recall_at_1 == pytest.approx(2 / 3)
    assert figures.tpir == pytest.approx(2 / 5)
    assert figures.unseen_tpir == pytest.approx(1 / 3)
    assert figures.tnir == pytest.approx(1 / 2)
    # Pairs (enrolled, unknown) in order: against 0.8, 2 won and 1 tied of 5; against 0.2 all 5.
    assert figures.auroc == pytest.approx((2 + 0.5 + 5) / 10)
    assert figures.precision == pytest.approx((1 / 1 + 1 / 3) / 2)
    assert figures.recall == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert figures.accuracy == pytest.approx(3 / 7)
    assert (figures.enrolled_queries, figures.unseen_queries, figures.unknown_queries) == (5, 3, 2)
    assert figures.gallery_classes == 2


def test_without_unknowns_nothing_is_said_of_them() -> None:
    figures = measure(results([0, 1], [0, 1], [0.9, 0.8]), RULE)
    assert figures.tnir is None
    assert figures.auroc is None
    assert figures.recall_at_1 == 1.0
    assert {"tnir", "auroc"}.isdisjoint(figures.figures())


def test_without_enrolled_queries_nothing_is_said_of_them() -> None:
    figures = measure(results([-1, -1], [0, 1], [0.9, 0.2]), RULE)
    assert figures.recall_at_1 is None
    assert figures.unseen_recall_at_1 is None
    assert figures.tpir is None
    assert figures.recall is None
    assert figures.auroc is None
    assert figures.precision == 0.0  # the one answer with a name was wrong
    assert figures.tnir == figures.accuracy == 0.5


def test_without_unseen_classes_nothing_is_said_of_them() -> None:
    figures = measure(results([0, -1], [0, 0], [0.9, 0.2], trained=[True, False]), RULE)
    assert figures.unseen_recall_at_1 is None
    assert figures.unseen_tpir is None


def test_no_precision_where_no_name_was_given() -> None:
    assert measure(results([0, -1], [0, 0], [0.1, 0.1]), RULE).precision is None


def test_figures_are_finite_numbers_with_the_counts() -> None:
    figures = measure(by_hand(), RULE).figures()
    assert figures["enrolled_queries"] == 5.0
    assert all(isinstance(value, float) and np.isfinite(value) for value in figures.values())


def test_an_unknown_with_a_name_costs_that_class_precision() -> None:
    assert macro_precision_recall(np.array([0, 1]), np.array([0, 1])) == (1.0, 1.0)
    assert macro_precision_recall(np.array([0, 1, -1]), np.array([0, 1, 1])) == (0.75, 1.0)
    assert macro_precision_recall(np.array([0, 1, -1]), np.array([0, 1, 2])) == (pytest.approx(2 / 3), 1.0)


def test_no_queries_no_precision_and_no_recall() -> None:
    nothing = np.array([], dtype=np.int64)
    assert macro_precision_recall(nothing, nothing) == (None, None)


@settings(deadline=None, max_examples=100)
@given(
    arrays.arrays(np.int64, 20, elements=st.integers(-1, 4)), arrays.arrays(np.int64, 20, elements=st.integers(-1, 4))
)
def test_macro_precision_and_recall_are_scikit_learns(truth: np.ndarray, answers: np.ndarray) -> None:
    precision, recall = macro_precision_recall(truth, answers)
    answered, enrolled = np.unique(answers[answers >= 0]), np.unique(truth[truth >= 0])
    if len(answered):
        assert precision == pytest.approx(precision_score(truth, answers, labels=answered, average="macro"))
    else:
        assert precision is None
    if len(enrolled):
        wanted = recall_score(truth, answers, labels=enrolled, average="macro", zero_division=0)
        assert recall == pytest.approx(wanted)
    else:
        assert recall is None


@settings(deadline=None, max_examples=60)
@given(drawn())
def test_auroc_is_scikit_learns_and_blind_to_monotone_changes(found: SearchResults) -> None:
    auroc = unknown_auroc(found)
    assert auroc == pytest.approx(roc_auc_score(found.truth >= 0, found.scores[:, 0]))
    ranks = np.stack([rankdata(found.scores[:, 0], "dense")] * 2, axis=1).astype(np.float32)
    assert unknown_auroc(replace(found, scores=ranks)) == pytest.approx(auroc)


@settings(deadline=None, max_examples=60)
@given(drawn(), st.floats(-1, 1), st.floats(0, 1))
def test_figures_keep_their_bounds_and_their_order(found: SearchResults, threshold: float, margin: float) -> None:
    rule = DecisionRule(threshold, margin, 0.1)
    figures = measure(found, rule)
    assert all(
        0 <= value <= 1 for name, value in figures.figures().items() if not name.endswith(("queries", "classes"))
    )
    assert figures.tpir is not None
    assert figures.recall_at_1 is not None
    assert figures.tnir is not None
    assert figures.tpir <= figures.recall_at_1
    right = figures.tpir * figures.enrolled_queries + figures.tnir * figures.unknown_queries
    assert figures.accuracy * len(found.truth) == pytest.approx(right)
    stricter = measure(found, DecisionRule(threshold + 0.1, margin + 0.1, 0.1))
    assert stricter.tnir is not None
    assert stricter.tnir >= figures.tnir


@pytest.mark.parametrize(("of_a_class", "name"), [(3, "MAP@R"), (1, "one row a class")])
def test_recall_at_1_and_map_at_r_are_pytorch_metric_learnings_on_a_closed_set(of_a_class: int, name: str) -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(12, 8))
    names = np.repeat(np.arange(12), 8)
    vectors = centres[names] + rng.normal(size=(96, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    first = np.tile([True] * of_a_class + [False] * (8 - of_a_class), 12)
    labels = [f"{name:02}" for name in names]
    gallery = enrol(vectors[first], [x for x, keep in zip(labels, first, strict=True) if keep], GalleryConfig())
    queries = [x for x, keep in zip(labels, first, strict=True) if not keep]
    ours = measure(Queries(vectors[~first], queries).search(gallery, ranked=True), ACCEPT_ALL)
    # Its search defaults to faiss, and queries of unknown classes would vanish from its figure.
    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision_at_r"),
        k=of_a_class,
        knn_func=CustomKNN(CosineSimilarity()),
        device=torch.device("cpu"),
    )
    theirs = calculator.get_accuracy(
        torch.tensor(vectors[~first]),
        torch.tensor(names[~first]),
        torch.tensor(vectors[first]),
        torch.tensor(names[first]),
    )
    assert 0.3 < theirs["precision_at_1"] < 0.95
    assert ours.recall_at_1 == pytest.approx(theirs["precision_at_1"])
    assert ours.map_at_r == pytest.approx(theirs["mean_average_precision_at_r"]), name
    assert (ours.map_at_r == ours.recall_at_1) == (of_a_class == 1)


def test_average_precision_at_r_worked_by_hand() -> None:
    angles = np.radians([0, 10, 20, 30, 40])  # of classes 0, 1, 0, 0, 1
    gallery = enrol(_at(angles), ["a", "b", "a", "a", "b"], GalleryConfig(class_offsets=False))
    queries = Queries(_at(np.radians([-5, 45, 0])), ["a", "b", "other"])
    found = queries.search(gallery, ranked=True)
    assert found.average_precision is not None
    # a: ranks a b a of R = 3, (1 + 0 + 2/3) / 3. b: ranks b a of R = 2, 1/2. The unknown has none.
    np.testing.assert_allclose(found.average_precision, [5 / 9, 1 / 2, np.nan])
    assert measure(found, ACCEPT_ALL).map_at_r == pytest.approx((5 / 9 + 1 / 2) / 2)
    assert measure(queries.search(gallery), ACCEPT_ALL).map_at_r is None
    second = found.take(np.array([1])).average_precision
    assert second is not None
    assert second.tolist() == pytest.approx([0.5])


def _at(angles: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_precision_and_recall_of_a_class_that_is_never_answered_or_asked_are_not_numbers() -> None:
    precision, recall = class_precision_recall(np.array([0, 0, 1, -1]), np.array([0, 2, -1, 0]), classes=4)
    np.testing.assert_allclose(precision, [1 / 2, np.nan, 0, np.nan])
    np.testing.assert_allclose(recall, [1 / 2, 0, np.nan, np.nan])


def test_summary_gives_fnir_beside_tpir_and_fpir_beside_tnir() -> None:
    figures = measure(results([0, 1, 0, 1, -1], [0, 0, 0, 1, 1], [0.9, 0.8, 0.9, 0.9, 0.1]), RULE)
    assert figures.summary() == "recall@1 0.750, TPIR 0.750 (FNIR 0.250), TNIR 1.000 (FPIR 0.000), AUROC 1.000"
    known = measure(results([0, 1], [0, 1], [0.9, 0.8]), RULE)
    assert known.summary().endswith("TNIR not computed, AUROC not computed")


def test_lines_tell_how_much_was_asked_and_the_main_figures() -> None:
    figures = measure(results([0, 1, 0, 1, -1], [0, 0, 0, 1, 1], [0.9, 0.8, 0.9, 0.9, 0.1]), RULE)
    assert figures.lines() == [
        "measured on 4 queries of enrolled classes and 1 unknown ones, in a gallery of 3 classes:",
        "  recall@1  0.750",
        "  TPIR      0.750 (FNIR 0.250)",
        "  TNIR      1.000 (FPIR 0.000)",
        "  AUROC     1.000",
    ]


def test_figures_of_unseen_classes_are_distinct_only_beside_others() -> None:
    mixed = measure(by_hand(), RULE)
    assert mixed.distinct_figures() == mixed.figures()
    repeated = mixed.model_copy(update={"unseen_queries": mixed.enrolled_queries})
    assert {*mixed.figures()} - {*repeated.distinct_figures()} == {
        "unseen_recall_at_1",
        "unseen_tpir",
        "unseen_queries",
    }
