from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError, DataError
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.gates import GateConfig
from discern.evaluation.metrics import Metrics
from discern.learning.models import TorchEmbedder
from discern.releases.candidate import build_candidate
from discern.releases.comparison import ReleaseComparison, compare_releases, evaluate_release
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import Release
from tests.discern import candidates, toy
from tests.discern.photo_counts import PhotoCounts

GATES = GateConfig()
Candidate = tuple[Release, Metrics]


def test_evaluate_release_repeats_the_candidates_own_figures(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, metrics = candidate
    evaluation = evaluate_release(release, toy_version, candidates.GALLERY)
    assert evaluation.answers.metrics == metrics


def test_evaluate_release_gives_the_answers_of_the_device(production: Release, toy_version: DatasetVersion) -> None:
    evaluation = evaluate_release(production, toy_version, candidates.GALLERY)
    identifier = Identifier(production)
    queries = toy_version.select(split="test", role="query")
    names = [identifier.identify(queries.image_bytes(row)).label for row in range(len(queries))]
    labels = [None if number < 0 else evaluation.results.labels[number] for number in evaluation.answers.answered]
    assert names == labels[: len(names)]  # then come those that are asked as if their class were not enrolled
    assert len(labels) == len(names) + 4 * len(toy.TEST)
    assert evaluation.answers.latency_ms > 0
    size = sum(path.stat().st_size for path in production.folder.iterdir() if path.name != "release.json")
    assert evaluation.answers.size_mb == pytest.approx(size / 1e6)


def test_classes_of_the_test_set_that_a_release_never_enrolled_are_enrolled_for_the_test(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    wider = GalleryConfig(photos_per_class=1)
    evaluation = evaluate_release(candidate[0], toy_version, wider)
    assert set(evaluation.results.labels) == set(toy.LABELS)
    assert set(candidate[0].labels) < set(evaluation.results.labels)


def test_evaluate_release_takes_the_representation_that_the_release_ships(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    release, metrics = candidate
    assert release.manifest.represent == "exemplars"
    for config in (
        candidates.GALLERY.decided("prototype", class_offsets=False),
        candidates.GALLERY.model_copy(update={"represent": "auto"}),
    ):
        assert evaluate_release(release, toy_version, config).answers.metrics == metrics


def test_class_offsets_travel_with_a_release_and_are_judged_with_it(
    candidate: Candidate, toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path
) -> None:
    with_offsets = candidates.GALLERY.model_copy(update={"class_offsets": True})
    built = build_candidate(tmp_path / "release", candidates.inputs(toy_version, toy_model, gallery=with_offsets))
    device = Identifier(built.release)
    assert len(set(device.index.offsets.tolist())) > 1
    assert device.index.offsets.tolist() == [entry.offset for entry in built.release.catalogue]
    # Whatever the caller's gallery says, each release is judged with the offsets that its rule was fitted with.
    for config in (candidates.GALLERY, with_offsets):
        judged = evaluate_release(built.release, toy_version, config)
        assert judged.answers.metrics == built.metrics
        as_asked = judged.results.take(~judged.results.left_out)
        photos = judged.queries.take(np.flatnonzero(~judged.results.left_out).tolist())
        answers = [device.identify(photos.image_bytes(row)) for row in range(len(photos))]
        np.testing.assert_allclose([answer.score for answer in answers], as_asked.scores[:, 0], atol=1e-5)
        assert evaluate_release(candidate[0], toy_version, config).answers.metrics == candidate[1]


def test_both_answer_the_same_queries_each_with_its_own_preprocessing(
    comparison: ReleaseComparison, candidate: Candidate, production: Release
) -> None:
    assert comparison.production is not None
    assert candidate[0].preprocessing != production.preprocessing
    new, old = comparison.candidate, comparison.production
    np.testing.assert_array_equal(new.answers.truth, old.answers.truth)
    assert new.results.query_labels == old.results.query_labels
    assert not np.array_equal(new.answers.answered, old.answers.answered)
    gain = new.answers.metrics.accuracy - old.answers.metrics.accuracy
    assert comparison.decision.differences["accuracy"].difference == pytest.approx(gain)
    assert comparison.decision.outcome in ("refused", "cannot be told")
    for evaluation in (new, old):
        assert evaluation.answers.median_latency_ms is not None
        assert 0 < evaluation.answers.median_latency_ms <= evaluation.answers.latency_ms


def test_evaluate_release_decodes_and_embeds_a_photo_once(
    candidate: Candidate, toy_version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = PhotoCounts(monkeypatch)
    evaluate_release(candidate[0], toy_version, candidates.GALLERY)
    assert set(counts.decoded.values()) == set(counts.embedded.values()) == {1}
    assert counts.photos_of_each_model() == [16 + 24]


def test_compare_releases_decodes_a_photo_once_for_two_releases_of_one_preprocessing(
    candidate: Candidate, toy_version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = PhotoCounts(monkeypatch)
    compare_releases(candidate[0], candidate[0], toy_version, GATES)
    assert set(counts.decoded.values()) == {1}
    assert counts.photos_of_each_model() == [16 + 24, 16 + 24]


def test_a_release_against_itself_is_not_promoted(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    decision = compare_releases(release, release, toy_version, GATES).decision
    assert not decision.promote
    assert all(interval.difference == 0 for interval in decision.differences.values())
    assert "enough to tell" in [gate.name for gate in decision.gates if not gate.passed]


def test_where_nothing_is_in_production_floors_decide(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, metrics = candidate
    recall, tnir = metrics.recall_at_1, metrics.tnir
    assert recall is not None
    assert tnir is not None
    reached = GATES.model_copy(update={"least_recall_at_1": recall, "least_tnir": tnir, "least_precision": 0.1})
    first = compare_releases(release, None, toy_version, reached)
    assert first.decision.promote
    assert first.production is None
    missed = reached.model_copy(update={"least_recall_at_1": recall + 0.01})
    assert not compare_releases(release, None, toy_version, missed).decision.promote


def test_without_classes_held_out_as_unknowns_classes_are_left_out(
    candidate: Candidate, production: Release, toy_version: DatasetVersion
) -> None:
    known = toy_version.select(labels=set(toy.LABELS) - set(toy.TEST_UNKNOWNS))
    for compared in (production, None):
        metrics = compare_releases(candidate[0], compared, known, GATES).candidate.answers.metrics
        assert metrics.unknown_queries == 16
        assert metrics.tnir == metrics.left_out_tnir


def test_of_one_class_photos_from_elsewhere_are_the_unknowns(candidate: Candidate, toy_version: DatasetVersion) -> None:
    one = toy_version.select(labels={toy.TEST[1]})
    compared = compare_releases(candidate[0], None, one, GATES)
    metrics = compared.candidate.answers.metrics
    assert (metrics.tnir, metrics.unknown_queries) == (None, 0)
    assert metrics.elsewhere_tnir is not None
    (gate,) = [gate for gate in compared.decision.gates if "TNIR" in gate.name]
    assert gate.passed == (metrics.elsewhere_tnir >= GATES.least_tnir)


def test_a_release_of_other_things_is_not_replaced(
    candidate: Candidate, production: Release, toy_version: DatasetVersion
) -> None:
    parts = replace(production, manifest=production.manifest.model_copy(update={"name": "parts"}))
    with pytest.raises(ConfigError, match=r"carries 'parts', which 'toy <pills>' would replace .* `channels` of its"):
        compare_releases(candidate[0], parts, toy_version, GATES)


def test_a_test_set_without_queries_is_an_error(candidate: Candidate, toy_version: DatasetVersion) -> None:
    with pytest.raises(DataError, match="test split has no query"):
        compare_releases(candidate[0], None, toy_version.select(role="gallery"), GATES)


def test_the_default_limits_decide_on_the_same_answers(candidate: Candidate, toy_version: DatasetVersion) -> None:
    strict = compare_releases(candidate[0], None, toy_version, GateConfig())
    assert "TNIR" in strict.decision.reason
    loose = compare_releases(candidate[0], None, toy_version, GateConfig(least_tnir=0.1, least_precision=0.1))
    assert loose.decision.promote
    refused = loose.by_default_limits()
    assert not refused.promote
    assert [gate for gate in refused.gates if not gate.passed] == [
        gate for gate in strict.decision.gates if not gate.passed
    ]
