"""Run two releases on the same frozen test set, as devices would, and apply the gates.

Each release brings its model, its preprocessing, its representation of a class and its decision rule. The enrolled
photos are the candidate's, embedded by each release, so that both answer the same question even where their catalogues
differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError
from discern.evaluation.calibration import Elsewhere
from discern.evaluation.gallery import Gallery, GalleryConfig, Vectors, embed_batches
from discern.evaluation.gallery_fit import scores_elsewhere
from discern.evaluation.gates import AnsweredQueries, GateConfig, PromotionDecision, apply_floors, apply_gates
from discern.evaluation.latency import Latency, identification_latencies
from discern.evaluation.metrics import measure, named
from discern.evaluation.queries import DecodedSplit, decode_gallery, decode_queries
from discern.evaluation.retrieval import SearchResults
from discern.releases.elsewhere import photos_from_elsewhere
from discern.releases.enrolled_gallery import as_enrolled_by, gallery_of
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import Pixels, Preprocessing
from edge_runtime.core.release import Release

LATENCY_PHOTOS = 200


@dataclass(frozen=True)
class ReleaseEvaluation:
    """One release on the frozen test set.

    Attributes:
        answers: what the gates look at.
        results: nearest classes and scores, for pictures.
        queries: the photos of both, in the same order.
    """

    answers: AnsweredQueries
    results: SearchResults
    queries: DatasetVersion


@dataclass(frozen=True)
class ReleaseComparison:
    """The decision, and the evaluations and limits that it rests on."""

    decision: PromotionDecision
    candidate: ReleaseEvaluation
    production: ReleaseEvaluation | None
    gates: GateConfig

    def by_default_limits(self) -> PromotionDecision:
        """Decide on the same answers by the default limits, so that loosened ones cannot hide what they let through."""
        return _decide(self.candidate, self.production, GateConfig())


@dataclass(frozen=True)
class FrozenPhotos:
    """The enrolled photos and the test queries of a dataset version, decoded for one preprocessing.

    Attributes:
        gallery: the enrolled photos.
        queries: the test queries.
        elsewhere: [n, size, size, 3] photos of other things, where few classes can be asked as unknowns; else None.
    """

    gallery: DecodedSplit
    queries: DecodedSplit
    elsewhere: Pixels | None

    @classmethod
    def decode(cls, version: DatasetVersion, config: GalleryConfig, preprocessing: Preprocessing) -> FrozenPhotos:
        """Decode the photos.

        Raises:
            DataError: the version has no gallery or no test queries.
        """
        gallery = decode_gallery(version, config, preprocessing)
        queries = decode_queries(version, "test", set(gallery.rows.labels), preprocessing)
        return cls(gallery, queries, photos_from_elsewhere("auto", queries, preprocessing))


def compare_releases(
    candidate: Release, production: Release | None, version: DatasetVersion, gates: GateConfig
) -> ReleaseComparison:
    """Compare `candidate` with production on the frozen test set of `version`, or with floors where there is none.

    Raises:
        DataError: the version has no gallery or no test queries.
        ConfigError: production identifies other things, or the gallery of the candidate cannot be found in `version`.
        ReleaseError: a release does not load.
    """
    if production is not None and production.manifest.name != candidate.manifest.name:
        raise ConfigError(
            f"The production channel carries {production.manifest.name!r}, which {candidate.manifest.name!r} would "
            "replace on every device that follows it: give the promotion config `channels` of its own, as in "
            "configs/groceries/promotion.yaml."
        )
    gallery = gallery_of(candidate, version)
    photos = FrozenPhotos.decode(version, gallery, candidate.preprocessing)
    identifiers = [Identifier(release) for release in (candidate, production) if release is not None]
    latencies = identification_latencies(identifiers, _spread(photos.queries.rows, LATENCY_PHOTOS))
    new = _evaluate(candidate, identifiers[0], photos, gallery, latencies[0])
    if production is None:
        return ReleaseComparison(_decide(new, None, gates), new, None, gates)
    if production.preprocessing != candidate.preprocessing:
        photos = FrozenPhotos.decode(version, gallery, production.preprocessing)
    old = _evaluate(production, identifiers[1], photos, gallery, latencies[1])
    return ReleaseComparison(_decide(new, old, gates), new, old, gates)


def evaluate_release(release: Release, version: DatasetVersion, gallery: GalleryConfig) -> ReleaseEvaluation:
    """Answer the test queries of `version` with the model, the rule and the representation of `release`.

    Args:
        release: answers.
        version: holds the enrolled photos and the test queries.
        gallery: which photos are enrolled.

    Raises:
        DataError: the version has no gallery or no test queries.
        ReleaseError: the release does not load.
    """
    photos, identifier = FrozenPhotos.decode(version, gallery, release.preprocessing), Identifier(release)
    (latency,) = identification_latencies([identifier], _spread(photos.queries.rows, LATENCY_PHOTOS))
    return _evaluate(release, identifier, photos, gallery, latency)


def _decide(candidate: ReleaseEvaluation, production: ReleaseEvaluation | None, gates: GateConfig) -> PromotionDecision:
    if production is None:
        return apply_floors(candidate.answers, gates)
    return apply_gates(candidate.answers, production.answers, list(candidate.results.query_labels), gates)


def _evaluate(
    release: Release, identifier: Identifier, photos: FrozenPhotos, gallery: GalleryConfig, latency: Latency
) -> ReleaseEvaluation:
    enrolled = photos.gallery.embed(identifier.model).enrol(as_enrolled_by(release, gallery))
    queries = photos.queries.embed(identifier.model)
    results = queries.search(enrolled, ranked=True).stated_by(identifier.calibrator)
    elsewhere = _elsewhere(identifier, photos, enrolled)
    answers = AnsweredQueries(
        truth=results.truth,
        answered=results.answers(identifier.rule),
        metrics=measure(results, identifier.rule, identifier.calibrator, elsewhere),
        latency_ms=latency.p95,
        median_latency_ms=latency.median,
        size_mb=sum(entry.bytes for entry in release.manifest.files.values()) / 1e6,
        elsewhere_refused=None if elsewhere is None else ~named(elsewhere, identifier.rule, identifier.calibrator),
    )
    return ReleaseEvaluation(answers, results, queries.rows)


def _elsewhere(identifier: Identifier, photos: FrozenPhotos, enrolled: Gallery) -> Vectors | None:
    """Search the photos from elsewhere that no rule is fitted on."""
    if photos.elsewhere is None:
        return None
    vectors = Elsewhere(embed_batches(identifier.model, photos.elsewhere)).measuring
    return scores_elsewhere(enrolled, vectors)


def _spread(queries: DatasetVersion, count: int) -> list[bytes]:
    """Return at most `count` encoded photos, spread over the queries."""
    rows = np.unique(np.linspace(0, len(queries) - 1, count).astype(int))
    return [queries.image_bytes(int(row)) for row in rows]
