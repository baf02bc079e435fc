from __future__ import annotations

import pytest

from discern.evaluation.metrics import Metrics
from discern.releases.comparison import ReleaseComparison
from discern.reports.figures import FIGURES, RATES, VALIDATION, Evaluated, figures, further_figures, percent
from edge_runtime.core.release import Release

Candidate = tuple[Release, Metrics]


@pytest.fixture(scope="module")
def evaluated(candidate: Candidate, comparison: ReleaseComparison) -> Evaluated:
    evaluation = comparison.candidate
    return Evaluated(candidate[0], evaluation.results, evaluation.answers.answered, evaluation.answers.metrics)


def test_the_counted_rates_are_the_measured_figures(evaluated: Evaluated) -> None:
    for name, figure in zip(RATES, figures(RATES, evaluated), strict=True):
        rate = figure.value.rate
        assert rate is not None
        assert rate.value == pytest.approx(getattr(evaluated.metrics, name))
        assert rate.low <= rate.value <= rate.high
    queries = [figure.value.rate.queries for figure in figures(RATES, evaluated) if figure.value.rate]
    assert queries == [16, 16, 8 + 16, 24 + 16]


def test_every_figure_has_a_name_and_a_meaning() -> None:
    assert {*Metrics.model_fields, *RATES, *VALIDATION, "latency_ms", "size_mb", "represent"} == set(FIGURES)
    names = [name for name, _ in FIGURES.values()]
    assert len(set(names)) == len(names)


def test_figures_of_unseen_classes_stand_apart_only_where_some_class_was_seen(evaluated: Evaluated) -> None:
    metrics = evaluated.metrics
    assert metrics.unseen_queries == metrics.enrolled_queries
    assert "unseen_tpir" not in further_figures(metrics, RATES)
    seen = metrics.model_copy(update={"unseen_queries": 3})
    assert {"unseen_tpir", "unseen_recall_at_1"} <= set(further_figures(seen, RATES))
    assert set(further_figures(seen, RATES)).isdisjoint(RATES)


def test_what_was_not_measured_is_called_so(evaluated: Evaluated) -> None:
    (figure,) = figures(["latency_ms"], evaluated)
    assert figure.value.text == "not measured"
    assert figure.production is None


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "under 1"), (0.004, "under 1"), (0.014, "1"), (0.87, "87"), (0.996, "over 99"), (1, "over 99")],
)
def test_no_probability_is_certain(share: float, text: str) -> None:
    assert percent(share) == f"{text}\N{NO-BREAK SPACE}%"
