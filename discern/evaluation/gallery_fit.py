"""The representation of a class that validation queries prefer: every photo a row, or one mean; with its rule."""

from __future__ import annotations

from dataclasses import dataclass

from discern.evaluation.cross_fitting import RuleRates, fit_promised_rule
from discern.evaluation.gallery import Gallery, GalleryConfig, Vectors, enrol
from discern.evaluation.metrics import Metrics, measure
from discern.evaluation.retrieval import Queries, SearchResults
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.release import Represent

BY_SIZE: tuple[Represent, ...] = ("prototype", "exemplars")
DECIDING = ("tpir", "auroc", "recall_at_1")
ELSEWHERE = "(photo from elsewhere)"


@dataclass(frozen=True)
class FittedGallery:
    """A gallery and the decision rule fitted to it.

    Attributes:
        represent: photos or means of classes.
        gallery: the enrolled classes.
        results: of the queries that the rule is fitted on.
        rule: the decision rule.
        rates: FPIR and TPIR of such a rule on classes that it was not fitted on.
        metrics: all figures of these queries under the rule.
    """

    represent: Represent
    gallery: Gallery
    results: SearchResults
    rule: DecisionRule
    rates: RuleRates
    metrics: Metrics


def fit_galleries(
    vectors: Vectors,
    labels: list[str],
    config: GalleryConfig,
    queries: Queries,
    fpir: float,
    elsewhere: Vectors | None = None,
) -> tuple[FittedGallery, ...]:
    """Enrol photos as `config` says and fit the rule; `represent: auto` tries both ways and gives the better one first.

    The better one has the higher TPIR by rules that saw none of the query's class, then the higher AUROC, the higher
    recall@1, the fewer rows.
    Where every class has one photo, that photo is also its mean, and there is no choice.

    Args:
        vectors: [n, d] embedded gallery photos, unit length.
        labels: n labels.
        config: how a class is represented.
        queries: of classes outside training, unknowns among them.
        fpir: the false-identification rate that is promised, between 0 and 1.
        elsewhere: [n, d] embedded photos of other things, which no gallery holds.

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
        _fit(enrol(vectors, labels, config.represented(represent)), represent, queries, fpir, elsewhere)
        for represent in tried
    ]
    return tuple(sorted(fitted, key=_merit, reverse=True))


def _fit(
    gallery: Gallery, represent: Represent, queries: Queries, fpir: float, elsewhere: Vectors | None
) -> FittedGallery:
    results = queries.search(gallery)
    foreign = scores_elsewhere(gallery, elsewhere)
    promised = fit_promised_rule(results, fpir, foreign)
    return FittedGallery(represent, gallery, results, promised.rule, promised.rates, measure(results, promised.rule))


def scores_elsewhere(gallery: Gallery, elsewhere: Vectors | None) -> Vectors | None:
    """Return the cosines [n, 2] of the two classes nearest to each photo from elsewhere."""
    if elsewhere is None or len(elsewhere) == 0:
        return None
    return Queries(elsewhere, [ELSEWHERE] * len(elsewhere)).search(gallery).scores


def _merit(fitted: FittedGallery) -> list[float]:
    figures = fitted.metrics.figures()
    tpir = fitted.rates.tpir
    return [-1.0 if tpir is None else tpir.value, *(figures.get(name, -1.0) for name in ("auroc", "recall_at_1"))]
