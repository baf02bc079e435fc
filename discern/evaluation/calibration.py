"""Calibrate a model on its validation queries and measure it on its test queries; pure: embeddings in, figures out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.gallery import Gallery, GalleryConfig, Vectors
from discern.evaluation.gallery_fit import DECIDING, FittedGallery, fit_galleries, scores_elsewhere
from discern.evaluation.metrics import Metrics, measure
from discern.evaluation.probability_calibration import fit_calibrator
from discern.evaluation.queries import EmbeddedSplit
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import Calibrator, DecisionRule


@dataclass(frozen=True)
class Elsewhere:
    """Photos of things that no gallery holds, embedded by one model.

    Attributes:
        vectors: [n, d] unit length.
    """

    vectors: Vectors

    @property
    def fitting(self) -> Vectors:
        """One half, on which the rule is fitted."""
        return self.vectors[self._order[::2]]

    @property
    def measuring(self) -> Vectors:
        """The other half, on which it is measured."""
        return self.vectors[self._order[1::2]]

    @property
    def _order(self) -> NDArray[np.int64]:
        """Mix the photos, since their kinds may follow each other in turns; in one way for one number of them."""
        return np.random.default_rng(0).permutation(len(self.vectors))


@dataclass(frozen=True)
class CalibratedModel:
    """A model's gallery with decision rule and calibrator, and its figures.

    Attributes:
        tried: the ways to enrol that were tried, each with its rule, fitted on the validation queries;
            best first.
        rule: the first one's, with the least probability that an answer needs.
        calibrator: of the first one, fitted on the same queries; None where it could not be fitted.
        results: of the test queries, with the probabilities that the calibrator states.
        metrics: of these under the first one's rule.
    """

    tried: tuple[FittedGallery, ...]
    rule: DecisionRule
    calibrator: Calibrator | None
    results: SearchResults
    metrics: Metrics

    @property
    def chosen(self) -> FittedGallery:
        """The way that ships."""
        return self.tried[0]

    @property
    def gallery(self) -> Gallery:
        """The gallery that ships."""
        return self.chosen.gallery

    def figures(self) -> dict[str, float]:
        """Return the figures that travel with a release: of the test queries, and of the validation queries.

        A figure of the validation queries begins with `validation_`. Where several ways to enrol were tried, those
        that decide between them are given for each, as in `validation_tpir_prototype` and, with class offsets,
        `validation_tpir_prototype_offsets`; of one class there is no AUROC.
        """
        validation = self.chosen.rates.figures()
        if len(self.tried) > 1:
            for fitted in self.tried:
                figures = fitted.metrics.figures()
                validation |= {f"{name}_{fitted.way}": figures[name] for name in DECIDING if name in figures}
        return self.metrics.figures() | {f"validation_{name}": value for name, value in validation.items()}


def calibrate(
    gallery: EmbeddedSplit,
    validation: EmbeddedSplit,
    test: EmbeddedSplit,
    config: GalleryConfig,
    fpir: float,
    elsewhere: Elsewhere | None = None,
    least_probability: float = 0.0,
) -> CalibratedModel:
    """Enrol the gallery, fit rule and calibrator on the validation queries, measure the test queries.

    Args:
        gallery: the enrolled photos, embedded by the model.
        validation: queries of classes outside training, unknowns among them, embedded by the same model.
        test: the queries that measure it.
        config: how a class is represented.
        fpir: the false-identification rate that the rule is fitted for, between 0 and 1.
        elsewhere: photos of other things, embedded by the same model.
        least_probability: the least stated probability of an answer, 0 to 1; 0 is no bound.

    Raises:
        DataError: the validation queries lack enrolled classes or unknowns, or there is no test query.
    """
    fitting = None if elsewhere is None else elsewhere.fitting
    tried = fit_galleries(gallery.vectors, gallery.labels, config, validation.queries, fpir, fitting)
    chosen = tried[0]
    calibrator = fit_calibrator(chosen.results)
    foreign = scores_elsewhere(chosen.gallery, None if elsewhere is None else elsewhere.measuring)
    rule = replace(chosen.rule, least_probability=least_probability)
    results = test.search(chosen.gallery, ranked=True).stated_by(calibrator)
    return CalibratedModel(tried, rule, calibrator, results, measure(results, rule, calibrator, foreign))
