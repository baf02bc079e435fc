"""What validation queries prefer: every photo of a class a row, or one mean; class offsets or none; with its rule."""

from __future__ import annotations

from collections import Counter
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
        config: as decided: photos or means of classes, with class offsets or without.
        gallery: the enrolled classes.
        results: of the queries that the rule is fitted on.
        rule: the decision rule.
        rates: FPIR and TPIR of such a rule on classes that it was not fitted on.
        metrics: all figures of these queries under the rule.
    """

    config: GalleryConfig
    gallery: Gallery
    results: SearchResults
    rule: DecisionRule
    rates: RuleRates
    metrics: Metrics

    @property
    def represent(self) -> Represent:
        """Photos or means of classes."""
        return "prototype" if self.config.represent == "prototype" else "exemplars"

    @property
    def way(self) -> str:
        """Return what was decided, as in the name of a figure."""
        return f"{self.represent}_offsets" if self.config.class_offsets else self.represent


def fit_galleries(
    vectors: Vectors,
    labels: list[str],
    config: GalleryConfig,
    queries: Queries,
    fpir: float,
    elsewhere: Vectors | None = None,
) -> tuple[FittedGallery, ...]:
    """Enrol photos as `config` says and fit the rule; where it says `auto`, both ways are tried, the better one first.

    The better one has the higher TPIR by rules that saw none of the query's class, then the higher AUROC, the higher
    recall@1, the fewer rows, no class offsets.
    Where every class has one photo, that photo is also its mean, and there is no choice. Offsets are of classes that
    differ in how alike their photos are, so that two are needed.

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
    fitted = [_fit(vectors, labels, decided, queries, fpir, elsewhere) for decided in _ways(config, labels)]
    return tuple(sorted(fitted, key=_merit, reverse=True))


def _ways(config: GalleryConfig, labels: list[str]) -> list[GalleryConfig]:
    """Return the configs that are tried for photos of these labels."""
    of_several_photos = sum(count > 1 for count in Counter(labels).values())
    represents: tuple[Represent, ...] = BY_SIZE if of_several_photos else ("exemplars",)
    if config.represent != "auto":
        represents = (config.represent,)
    offsets = (False, True) if of_several_photos > 1 else (False,)
    if config.class_offsets != "auto":
        offsets = (config.class_offsets,)
    return [config.decided(represent, with_offsets) for represent in represents for with_offsets in offsets]


def _fit(
    vectors: Vectors,
    labels: list[str],
    config: GalleryConfig,
    queries: Queries,
    fpir: float,
    elsewhere: Vectors | None,
) -> FittedGallery:
    gallery = enrol(vectors, labels, config)
    results = queries.search(gallery)
    foreign = scores_elsewhere(gallery, elsewhere)
    promised = fit_promised_rule(results, fpir, foreign)
    return FittedGallery(config, gallery, results, promised.rule, promised.rates, measure(results, promised.rule))


def scores_elsewhere(gallery: Gallery, elsewhere: Vectors | None) -> Vectors | None:
    """Return the scores [n, 2] of the two classes nearest to each photo from elsewhere."""
    if elsewhere is None or len(elsewhere) == 0:
        return None
    return Queries(elsewhere, [ELSEWHERE] * len(elsewhere)).search(gallery).scores


def _merit(fitted: FittedGallery) -> list[float]:
    figures = fitted.metrics.figures()
    tpir = fitted.rates.tpir
    return [-1.0 if tpir is None else tpir.value, *(figures.get(name, -1.0) for name in ("auroc", "recall_at_1"))]
