"""Run two releases on the same frozen test set, as devices would, and apply_gates.

Each release brings its model, preprocessing, representation of a class and decision rule; the gallery's photos are the
test set's own, embedded by each, so that both answer the same question even where their catalogues differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.gates import AnsweredQueries, GateConfig, PromotionDecision, apply_floors, apply_gates
from discern.evaluation.latency import p95_latency_ms
from discern.evaluation.metrics import measure
from discern.evaluation.retrieval import Outcomes
from discern.releases.candidate import asked, embed_gallery, embed_queries
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import Release, Represent

LATENCY_PHOTOS = 200


@dataclass(frozen=True)
class ReleaseEvaluation:
    """One release on the frozen test set.

    Attributes:
        answers: what the gates look at.
        outcomes: what was found, for pictures.
        queries: the photos that were asked about, in the order of both.
    """

    answers: AnsweredQueries
    outcomes: Outcomes
    queries: DatasetVersion


@dataclass(frozen=True)
class ReleaseComparison:
    """The verdict and what it rests on."""

    verdict: PromotionDecision
    candidate: ReleaseEvaluation
    production: ReleaseEvaluation | None


def evaluate_release(release: Release, version: DatasetVersion, gallery_config: GalleryConfig) -> ReleaseEvaluation:
    """Answer the test queries of `version` with the model and rule of `release`.

    Raises:
        DataError: the version has no gallery or no test queries.
        ReleaseError: the release does not load.
    """
    identifier = Identifier(release)
    config = gallery_config.represented(representation(release, gallery_config))
    _, gallery = embed_gallery(identifier.model, version, release.preprocessing, config)
    outcomes = embed_queries(identifier.model, version, "test", gallery.labels, release.preprocessing).search(gallery)
    queries = asked(version, "test", gallery.labels)
    sample = np.unique(np.linspace(0, len(queries) - 1, LATENCY_PHOTOS).astype(int))
    answers = AnsweredQueries(
        truth=outcomes.truth,
        answered=outcomes.answers(identifier.rule),
        metrics=measure(outcomes, identifier.rule, identifier.calibrator),
        latency_ms=p95_latency_ms(identifier, [queries.image_bytes(int(row)) for row in sample]),
        size_mb=sum(entry.bytes for entry in release.manifest.files.values()) / 1e6,
    )
    return ReleaseEvaluation(answers, outcomes, queries)


def representation(release: Release, config: GalleryConfig) -> Represent:
    """How `release` represents a class: its rule was fitted for that.

    A release of format 1 does not say so: then what `config` says, and where that is `auto`, what the rows look like.
    """
    if release.manifest.represent is not None:
        return release.manifest.represent
    if config.represent != "auto":
        return config.represent
    counts = release.manifest.counts
    return "prototype" if counts.gallery == counts.classes else "exemplars"


def compare_releases(
    candidate: Release,
    production: Release | None,
    version: DatasetVersion,
    gallery_config: GalleryConfig,
    gates: GateConfig,
) -> ReleaseComparison:
    """Judge `candidate` on the frozen test set of `version`, against `production` where there is one.

    Raises:
        DataError: the version has no gallery or no test queries.
        ConfigError: the gallery is not the one that the candidate ships, or production identifies other things.
    """
    if production is not None and production.manifest.name != candidate.manifest.name:
        raise ConfigError(
            f"The production channel carries {production.manifest.name!r}, which {candidate.manifest.name!r} would "
            "replace on every device that follows it: give the promotion config `channels` of its own, as in "
            "configs/groceries/promotion.yaml."
        )
    shipped = representation(candidate, gallery_config)
    if gallery_config.represent not in {"auto", shipped}:
        raise ConfigError(
            f"The gallery of the promotion has `represent: {gallery_config.represent}`, the release {candidate.id} "
            f"ships `{shipped}`: write the same, or `auto`, into the training and the promotion config."
        )
    ours = evaluate_release(candidate, version, gallery_config)
    if ours.outcomes.labels != candidate.labels:
        raise ConfigError(
            f"The gallery of the promotion has {len(ours.outcomes.labels)} classes, the release {candidate.id} ships "
            f"{len(candidate.labels)} others: write the same `gallery` into the training and the promotion config."
        )
    if production is None:
        return ReleaseComparison(apply_floors(ours.answers, gates), ours, None)
    theirs = evaluate_release(production, version, gallery_config)
    verdict = apply_gates(ours.answers, theirs.answers, list(ours.outcomes.names), gates)
    return ReleaseComparison(verdict, ours, theirs)
