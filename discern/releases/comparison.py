"""Run two releases on the same frozen test set, as devices would, and judge.

Each release brings its model, preprocessing and decision rule; the gallery is the test set's own, embedded by each, so
that both answer the same question even where their catalogues differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from discern.data.versions import DatasetVersion
from discern.errors import ConfigError
from discern.evaluation.comparison import Answers, GateConfig, Verdict, judge, judge_first
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.latency import p95_latency_ms
from discern.evaluation.metrics import measure
from discern.evaluation.outcomes import Outcomes
from discern.releases.candidate import asked, embed_gallery, search_split
from edge_runtime.identify import Identifier
from edge_runtime.release import Release

LATENCY_PHOTOS = 200


@dataclass(frozen=True)
class Examination:
    """One release on the frozen test set.

    Attributes:
        answers: what the gates look at.
        outcomes: what was found, for pictures.
        queries: the photos that were asked about, in the order of both.
    """

    answers: Answers
    outcomes: Outcomes
    queries: DatasetVersion


@dataclass(frozen=True)
class Comparison:
    """The verdict and what it rests on."""

    verdict: Verdict
    candidate: Examination
    production: Examination | None


def examine(release: Release, version: DatasetVersion, gallery_config: GalleryConfig) -> Examination:
    """Answer the test queries of `version` with the model and rule of `release`.

    Raises:
        DataError: the version has no gallery or no test queries.
        ReleaseError: the release does not load.
    """
    identifier = Identifier(release)
    _, gallery = embed_gallery(identifier.model, version, release.preprocessing, gallery_config)
    trained = frozenset(version.select(split="train").column("label"))
    outcomes = search_split(identifier.model, version, "test", gallery, release.preprocessing, trained)
    queries = asked(version, "test", gallery.labels)
    sample = np.unique(np.linspace(0, len(queries) - 1, LATENCY_PHOTOS).astype(int))
    answers = Answers(
        truth=outcomes.truth,
        answered=outcomes.answers(identifier.rule),
        metrics=measure(outcomes, identifier.rule),
        latency_ms=p95_latency_ms(identifier, [queries.image_bytes(int(row)) for row in sample]),
        size_mb=sum(entry.bytes for entry in release.manifest.files.values()) / 1e6,
    )
    return Examination(answers, outcomes, queries)


def compare(
    candidate: Release,
    production: Release | None,
    version: DatasetVersion,
    gallery_config: GalleryConfig,
    gates: GateConfig,
) -> Comparison:
    """Judge `candidate` on the frozen test set of `version`, against `production` where there is one.

    Raises:
        DataError: the version has no gallery or no test queries.
        ConfigError: the gallery is not the one that the candidate ships.
    """
    ours = examine(candidate, version, gallery_config)
    if ours.outcomes.labels != candidate.labels:
        raise ConfigError(
            f"The gallery of the promotion has {len(ours.outcomes.labels)} classes, the release {candidate.id} ships "
            f"{len(candidate.labels)} others: write the same `gallery` into the training and the promotion config."
        )
    if production is None:
        return Comparison(judge_first(ours.answers, gates), ours, None)
    theirs = examine(production, version, gallery_config)
    verdict = judge(ours.answers, theirs.answers, list(ours.outcomes.names), gates)
    return Comparison(verdict, ours, theirs)
