"""The representation of a class that validation queries prefer: every photo a row, or one mean; with its rule."""

from __future__ import annotations

from dataclasses import dataclass

from discern.evaluation.gallery import Gallery, GalleryConfig, Vectors, enrol
from discern.evaluation.metrics import Metrics, measure
from discern.evaluation.retrieval import Queries, SearchResults
from discern.evaluation.threshold_calibration import RuleRates, fit_rule, rule_rates
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.release import Represent

BY_SIZE: tuple[Represent, ...] = ("prototype", "exemplars")
DECIDING = ("tpir", "auroc", "recall_at_1")


@dataclass(frozen=True)
class FittedGallery:
    """A gallery and the decision rule fitted to it.

    Attributes:
        represent: photos or means of classes.
        gallery: the enrolled classes.
        results: of the queries that the rule is fitted on.
        rule: the decision rule.
        rates: FPIR and TPIR of these queries under the rule.
        metrics: all figures of these queries under the rule.
    """

    represent: Represent
    gallery: Gallery
    results: SearchResults
    rule: DecisionRule
    rates: RuleRates
    metrics: Metrics


def fit_galleries(
    vectors: Vectors, labels: list[str], config: GalleryConfig, queries: Queries, fpir: float
) -> tuple[FittedGallery, ...]:
    """Enrol photos as `config` says and fit the rule; `represent: auto` tries both ways and gives the better one first.

    The better one has the higher TPIR at the stated FPIR, then the higher AUROC, the higher recall@1, the fewer rows.
    Where every class has one photo, that photo is also its mean, and there is no choice.

    Args:
        vectors: [n, d] embedded gallery photos, unit length.
        labels: n labels.
        config: how a class is represented.
        queries: of classes outside training, unknowns among them.
        fpir: the false-identification rate allowed, between 0 and 1.

    Raises:
        DataError: as `enrol` and `fit_rule`.
    """
    if config.represent != "auto":
        tried: tuple[Represent, ...] = (config.represent,)
    elif len(set(labels)) == len(labels):
        tried = ("exemplars",)
    else:
        tried = BY_SIZE
    fitted = [
        _fit(enrol(vectors, labels, config.represented(represent)), represent, queries, fpir) for represent in tried
    ]
    return tuple(sorted(fitted, key=_merit, reverse=True))


def _fit(gallery: Gallery, represent: Represent, queries: Queries, fpir: float) -> FittedGallery:
    results = queries.search(gallery)
    rule = fit_rule(results, fpir)
    return FittedGallery(represent, gallery, results, rule, rule_rates(results, rule), measure(results, rule))


def _merit(fitted: FittedGallery) -> list[float]:
    figures = fitted.metrics.figures()  # all of them: `fit_rule` has seen enrolled queries and unknowns
    return [figures[name] for name in DECIDING]
