"""Look-alike sample pills, few of them, from the command line to the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import pills_lookalike
from benchmarks.learning import Recipe
from discern.errors import DataError
from discern.evaluation.gallery import Gallery
from discern.evaluation.retrieval import UNKNOWN, SearchResults
from discern.sources.pills import PillsConfig
from tests.benchmarks import trials
from tests.benchmarks.trials import Trial

# 6 families are enrolled and 4 are not, each with 2 siblings; half of either is the test.
PILLS = PillsConfig(
    families=16, siblings=2, photos_per_class=5, size=48, seed=7, heldout_families=10, unknowns=4, shots=2
)


def few(recipe: Recipe) -> Recipe:
    assert isinstance(recipe.source, PillsConfig)
    return trials.small(recipe).model_copy(update={"source": PILLS})


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trials.twice(pills_lookalike, tmp_path_factory.mktemp("work"), shrink=few)


def test_the_figures_are_there(trial: Trial) -> None:
    for prefix in ("", "teacher_"):
        trials.check_shares(trial.figures, [f"{prefix}auroc"])
        names = ("recall_at_1", "family_recall_at_1", "sibling_refusal", "tpir_at_fpir_5", "tnir")
        trials.check_intervals(trial.figures, [f"{prefix}{name}" for name in names])
        recall, family = trial.figures[f"{prefix}recall_at_1"], trial.figures[f"{prefix}family_recall_at_1"]
        assert recall <= family <= 1
    trials.check_gap(trial.figures)


def test_pills_of_families_held_out_are_asked(trial: Trial) -> None:
    counts = [trial.figures[name] for name in ("classes", "queries", "unknown_queries")]
    assert counts == [3 * 2, 3 * 2 * (5 - 2), 2 * 2 * 5]


def test_too_few_unknowns_resolve_no_hundredth(trial: Trial) -> None:
    assert trial.figures["tpir_at_fpir_1_by_score"] is None
    assert "tpir_at_fpir_1_by_score_spread" not in trial.figures


def test_nothing_is_trained_again(trial: Trial) -> None:
    trials.check_nothing_was_trained_again(trial, 2)


def test_development_asks_about_the_validation_families(tmp_path: Path) -> None:
    def others(recipe: Recipe) -> Recipe:
        pills = PILLS.model_copy(update={"heldout_families": 11})
        return few(recipe).model_copy(update={"source": pills})

    figures = trials.development(pills_lookalike, tmp_path, shrink=others)
    # The test has one more enrolled family: 4 of 7 are its.
    assert [figures[name] for name in ("classes", "queries", "unknown_queries")] == [3 * 2, 3 * 2 * 3, 2 * 2 * 5]
    trials.check_intervals(figures, ("sibling_refusal", "tnir"))


def test_a_query_of_an_enrolled_class_is_also_searched_without_that_class() -> None:
    # Classes lie along three axes; the queries are of the first, of the third, and of nobody.
    gallery = Gallery(np.eye(3, dtype=np.float32), np.arange(3), ("a-a", "a-b", "b-a"))
    queries = np.array([[0.8, 0.6, 0], [0, 0.6, 0.8], [1, 0, 0]], dtype=np.float32)
    results = pills_lookalike.search_both_ways(gallery, queries, ["a-a", "b-a", "c-a"])
    assert results.query_labels == ("a-a", "b-a", "c-a", "a-a", "b-a")
    assert results.truth.tolist() == [0, 2, UNKNOWN, UNKNOWN, UNKNOWN]
    assert results.left_out.tolist() == [False, False, False, True, True]
    assert results.best_class.tolist() == [0, 2, 0, 1, 1]
    np.testing.assert_allclose(results.scores[3:], [[0.6, 0], [0.6, 0]], atol=1e-6)


def of_families(numbers: Sequence[int], best: Sequence[float]) -> SearchResults:
    """Queries of siblings `a` and `b`, 10 of each, of families that are enrolled where their number is even."""
    labels = tuple(f"pill-{number:04d}-{sibling}" for number in numbers for sibling in "ab" for _ in range(10))
    truth = np.array([UNKNOWN if number % 2 else 0 for number in numbers for _ in range(20)])
    scores = np.repeat(np.array(best, np.float32), 20)
    none = np.zeros(len(labels), bool)
    return SearchResults(truth, np.zeros_like(truth), np.stack([scores, scores - 1], 1), ("x",), labels, none, none)


def test_a_family_is_named_by_rules_that_saw_nothing_of_it() -> None:
    # One unknown family scores higher than all others: a rule that saw any of its siblings would refuse it.
    named = pills_lookalike.cross_fitted(of_families([0, 2, 1, 3, 5, 7], [0.9, 0.9, 0.2, 0.2, 0.2, 0.6]))
    assert named.reshape(6, 20).all(axis=1).tolist() == [True, True, False, False, False, True]


def test_too_few_families_to_fit_a_rule_are_an_error() -> None:
    with pytest.raises(DataError, match="too few to fit a rule"):
        pills_lookalike.cross_fitted(of_families([0, 1], [0.9, 0.2]))


def test_siblings_are_of_one_family() -> None:
    assert pills_lookalike.family_of("pill-0007-b") == "pill-0007"
    families = [pills_lookalike.family_of(PILLS.label_of(number)) for number in range(PILLS.classes)]
    assert families == [f"pill-{number // 2:04d}" for number in range(PILLS.classes)]
