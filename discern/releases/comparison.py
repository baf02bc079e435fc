"""Run releases on the same frozen test set, as devices would, and apply the gates.

What is judged is what ships: each release answers by its own model, index and rule. Where the catalogues differ the
figures are those of the queries that all were asked alike; classes that the candidate adds are judged by its floor, and
a class that it lacks must have been retired, and none that was retired comes back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError
from discern.evaluation.calibration import Elsewhere
from discern.evaluation.common_queries import CommonQueries, common_queries
from discern.evaluation.gallery import embed_batches
from discern.evaluation.gates import (
    AnsweredQueries,
    GateConfig,
    GateResult,
    PromotionDecision,
    apply_floors,
    apply_gates,
    with_gates,
)
from discern.evaluation.latency import Latency, identification_latencies
from discern.evaluation.metrics import measure, named
from discern.evaluation.queries import DecodedSplit, decode_queries, unknown_classes
from discern.evaluation.retrieval import SearchResults
from discern.releases.elsewhere import photos_from_elsewhere
from discern.releases.enrolment_data import enrolled_photos
from discern.releases.footprint import peak_memory_mb
from discern.words import counted
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import Pixels, Preprocessing
from edge_runtime.core.release import Release
from edge_runtime.core.selftest import check_golden
from edge_runtime.errors import ReleaseError

LATENCY_PHOTOS = 200
SHOWN = 5  # labels in one sentence
ID_DIGITS = 16


@dataclass(frozen=True)
class ReleaseEvaluation:
    """One release on the frozen test set.

    Attributes:
        answers: what the gates look at.
        results: nearest classes and scores, for pictures; classes are numbered as in `answers`.
        queries: the photos of both, in the same order.
    """

    answers: AnsweredQueries
    results: SearchResults
    queries: DatasetVersion


@dataclass(frozen=True)
class ReleaseComparison:
    """The decision, and what it rests on.

    Attributes:
        decision: made by `gates`.
        candidate: the release that is judged.
        production: the one that it is compared with; None where nothing is in production.
        past: releases that were in production before, compared with too.
        gates: the limits.
        test_set: 16 hex digits that name the photos and labels that were asked.
        further: gates that are not of the answers.
    """

    decision: PromotionDecision
    candidate: ReleaseEvaluation
    production: ReleaseEvaluation | None
    past: tuple[ReleaseEvaluation, ...]
    gates: GateConfig
    test_set: str
    further: tuple[GateResult, ...] = ()

    def by_default_limits(self) -> PromotionDecision:
        """Decide on the same answers by the default limits, so that loosened ones cannot hide what they let through."""
        return _decide(self.candidate, self.production, self.past, GateConfig(), self.further)


class FrozenTest:
    """The test queries of a dataset version, decoded once for each preprocessing.

    A photo that a release enrols is not asked, wherever it came from.

    Args:
        version: holds the queries.
        releases: are asked them.

    Raises:
        DataError: the version has no test queries.
        PublicationError: what a release carries for enrolment is damaged.
    """

    def __init__(self, version: DatasetVersion, releases: Sequence[Release]) -> None:
        held = frozenset(photo for release in releases for photo in enrolled_photos(release))
        unknown = unknown_classes(version)
        columns = zip(version.photo_ids(), version.column("role"), version.column("label"), strict=True)
        kept = [
            row
            for row, (photo, role, label) in enumerate(columns)
            if role != "query" or label in unknown or photo not in held
        ]
        self._version = version.take(kept)
        self._enrolled = frozenset(label for release in releases for label in release.labels)
        self._decoded: dict[Preprocessing, DecodedSplit] = {}
        self._elsewhere: dict[Preprocessing, Pixels | None] = {}

    def queries(self, preprocessing: Preprocessing) -> DecodedSplit:
        """Return the queries as a model with this preprocessing sees them."""
        if preprocessing not in self._decoded:
            self._decoded[preprocessing] = decode_queries(self._version, "test", self._enrolled, preprocessing)
        return self._decoded[preprocessing]

    def elsewhere(self, preprocessing: Preprocessing) -> Pixels | None:
        """Return photos of other things, where few classes can be asked as unknowns; else None."""
        if preprocessing not in self._elsewhere:
            queries = self.queries(preprocessing)
            self._elsewhere[preprocessing] = photos_from_elsewhere("auto", queries, preprocessing)
        return self._elsewhere[preprocessing]


def compare_releases(
    candidate: Release,
    production: Release | None,
    version: DatasetVersion,
    gates: GateConfig,
    past: Sequence[Release] = (),
    retired: Collection[str] = (),
) -> ReleaseComparison:
    """Compare `candidate` with production on the frozen test set of `version`, or with floors where there is none.

    Args:
        candidate: the release that is judged.
        production: the one in production; None where there is none.
        version: holds the test queries.
        gates: the limits.
        past: releases that were in production before; the candidate must not fall behind the best of them.
        retired: classes that the candidate may lack, and must not have.

    Raises:
        DataError: the version has no test queries of enrolled classes.
        ConfigError: production identifies other things, or the candidate does not say what it was made from.
        ReleaseError: a release does not load.
    """
    _check_comparable(candidate, production)
    releases = [release for release in (candidate, production, *past) if release is not None]
    identifiers = [Identifier(release) for release in releases]
    test = FrozenTest(version, releases)
    evaluations, common = _evaluate(identifiers, test)
    new, *others = evaluations
    old = others.pop(0) if production is not None else None
    further = (
        _golden_gate(identifiers[0]),
        *_catalogue_gates(common, identifiers[0], production, retired, gates),
    )
    return ReleaseComparison(
        decision=_decide(new, old, others, gates, further),
        candidate=new,
        production=old,
        past=tuple(others),
        gates=gates,
        test_set=_name_of(new.queries),
        further=further,
    )


def evaluate_release(release: Release, version: DatasetVersion) -> ReleaseEvaluation:
    """Answer the test queries of `version` as a device with `release` would.

    Raises:
        DataError: the version has no test queries of enrolled classes.
        ReleaseError: the release does not load.
    """
    (evaluation,), _ = _evaluate([Identifier(release)], FrozenTest(version, [release]))
    return evaluation


def _check_comparable(candidate: Release, production: Release | None) -> None:
    if candidate.manifest.lineage.dataset_version is None:
        raise ConfigError(
            f"Release candidate {candidate.id} does not say which dataset version it was made from: train it again."
        )
    if production is not None and production.manifest.name != candidate.manifest.name:
        raise ConfigError(
            f"The production channel carries {production.manifest.name!r}, which {candidate.manifest.name!r} would "
            "replace on every device that follows it: give the promotion config `channels` of its own, as in "
            "configs/groceries/promotion.yaml."
        )


def _evaluate(identifiers: Sequence[Identifier], test: FrozenTest) -> tuple[list[ReleaseEvaluation], CommonQueries]:
    """Let each release answer; the evaluations are of the queries that all were asked alike."""
    asked = [test.queries(one.release.preprocessing).embed(one.model) for one in identifiers]
    results = [
        split.queries.search_index(one.index, one.release.labels, ranked=True).stated_by(one.calibrator)
        for split, one in zip(asked, identifiers, strict=True)
    ]
    common = common_queries(results)
    queries = asked[0].rows.take(common.rows.tolist())
    photos = [queries.image_bytes(row) for row in _spread(len(queries), LATENCY_PHOTOS)]
    latencies = identification_latencies(identifiers, photos)
    evaluations = [
        ReleaseEvaluation(_answers(identifier, found, test, latency, photos[0]), found, queries)
        for identifier, found, latency in zip(identifiers, common.results, latencies, strict=True)
    ]
    return evaluations, common


def _answers(
    identifier: Identifier, results: SearchResults, test: FrozenTest, latency: Latency, photo: bytes
) -> AnsweredQueries:
    release, elsewhere = identifier.release, _elsewhere(identifier, test)
    metrics = measure(results, identifier.rule, identifier.calibrator, elsewhere)
    return AnsweredQueries(
        truth=results.truth,
        answered=results.answers(identifier.rule),
        # The results hold the classes of all releases.
        metrics=metrics.model_copy(update={"gallery_classes": len(release.labels)}),
        latency_ms=latency.p95,
        median_latency_ms=latency.median,
        size_mb=release.manifest.total_bytes / 1e6,
        memory_mb=peak_memory_mb(release, photo),
        elsewhere_refused=None if elsewhere is None else ~named(elsewhere, identifier.rule, identifier.calibrator),
    )


def _elsewhere(identifier: Identifier, test: FrozenTest) -> NDArray[np.float32] | None:
    """Search the photos from elsewhere that no rule is fitted on; returns the scores [n, 2]."""
    photos = test.elsewhere(identifier.release.preprocessing)
    if photos is None:
        return None
    vectors = Elsewhere(embed_batches(identifier.model, photos)).measuring
    return identifier.index.best_classes(vectors, 2)[1]


def _decide(
    candidate: ReleaseEvaluation,
    production: ReleaseEvaluation | None,
    past: Sequence[ReleaseEvaluation],
    gates: GateConfig,
    further: Sequence[GateResult],
) -> PromotionDecision:
    if production is None:
        return with_gates(apply_floors(candidate.answers, gates), further)
    groups = list(candidate.results.query_labels)
    earlier = [one.answers for one in past]
    return with_gates(apply_gates(candidate.answers, production.answers, groups, gates, earlier), further)


def _golden_gate(identifier: Identifier) -> GateResult:
    """The release must give the golden embeddings that it was built with, on the machine that judges it too."""
    gate = "golden images reproduce"
    try:
        count = len(check_golden(identifier))
    except ReleaseError as error:
        return GateResult(name=gate, passed=False, detail=str(error))
    return GateResult(name=gate, passed=True, detail=f"{counted(count, 'image')}, as when the release was built")


def _catalogue_gates(
    common: CommonQueries,
    candidate: Identifier,
    production: Release | None,
    retired: Collection[str],
    gates: GateConfig,
) -> list[GateResult]:
    """Judge the classes that one of the two enrols: none may get lost or come back, and new ones must be found."""
    new = set(candidate.release.labels)
    back = _retired_gate(sorted(new & set(retired)))
    if production is None:
        return [back]
    old = set(production.labels)
    lost, gained = sorted(old - new - set(retired)), sorted(new - old)
    return [back, _lost_gate(lost), *_found_gate(common, candidate, gained, gates)]


def _retired_gate(back: Sequence[str]) -> GateResult:
    """Refuse classes that a person took out: they come back by a person alone."""
    detail = (
        f"{_shown(back)} retired, and in the candidate: run data and training again, which leave out what is retired, "
        "or enrol it again (`discern enrol`)"
    )
    return GateResult(name="no retired class", passed=not back, detail=detail if back else "the candidate has none")


def _shown(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return f"{', '.join(labels[:SHOWN])}{more}"


def _lost_gate(lost: Sequence[str]) -> GateResult:
    detail = (
        f"{_shown(lost)} in production and not in the candidate: add their photos to the next "
        "dataset version, or retire them (`discern retire`)"
    )
    return GateResult(name="no class is lost", passed=not lost, detail=detail if lost else "production has no other")


def _found_gate(
    common: CommonQueries, candidate: Identifier, gained: Sequence[str], gates: GateConfig
) -> list[GateResult]:
    """Hold the queries of classes that production does not know to the floor of TPIR."""
    if not gained:
        return []
    name, what = "new classes are found", counted(len(gained), "new class")
    results = common.all_of_first.take(common.gained)
    if not len(results.truth):
        detail = f"{what} ({', '.join(gained[:SHOWN])}) without a test query: production cannot be compared on it"
        return [GateResult(name=name, passed=True, detail=detail, counts=False)]
    tpir = float(results.right(candidate.rule).mean())
    detail = f"TPIR {tpir:.3f} of {counted(len(results.truth), 'query')} of {what}, at least {gates.least_tpir} wanted"
    return [GateResult(name=name, passed=tpir >= gates.least_tpir, detail=detail)]


def _name_of(queries: DatasetVersion) -> str:
    """Return a name of the photos that were asked and of their labels."""
    rows = zip(queries.photo_ids(), queries.column("label"), strict=True)
    text = "\n".join(sorted(f"{photo} {label}" for photo, label in rows))
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` numbers below `count`, spread over them."""
    return np.unique(np.linspace(0, count - 1, most).astype(int)).tolist()
