"""Look-alike sample pills, few of them, from the command line to the figures."""

from __future__ import annotations

import pytest

from benchmarks import pills_lookalike
from benchmarks.learning import Recipe
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
        trials.check_shares(trial.figures, (f"{prefix}{name}" for name in ("recall_at_1", "auroc")))
        recall, family = trial.figures[f"{prefix}recall_at_1"], trial.figures[f"{prefix}family_recall_at_1"]
        assert recall <= family <= 1
    trials.check_gap(trial.figures)


def test_pills_of_families_held_out_are_asked(trial: Trial) -> None:
    counts = [trial.figures[name] for name in ("classes", "queries", "unknown_queries")]
    assert counts == [3 * 2, 3 * 2 * (5 - 2), 2 * 2 * 5]


def test_too_few_unknowns_resolve_no_hundredth(trial: Trial) -> None:
    assert trial.figures["tpir_at_fpir_1"] is None
    assert "tpir_at_fpir_1_spread" not in trial.figures


def test_nothing_is_trained_again(trial: Trial) -> None:
    trials.check_nothing_was_trained_again(trial, 2)


def test_siblings_are_of_one_family() -> None:
    assert pills_lookalike.family_of("pill-0007-b") == "pill-0007"
    families = [pills_lookalike.family_of(PILLS.label_of(number)) for number in range(PILLS.classes)]
    assert families == [f"pill-{number // 2:04d}" for number in range(PILLS.classes)]
