from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError, DataError
from discern.evaluation.gallery import Gallery
from discern.evaluation.gates import GateConfig, GateResult, PromotionDecision
from discern.evaluation.metrics import Metrics
from discern.learning.models import TorchEmbedder
from discern.releases.candidate import build_candidate
from discern.releases.comparison import ReleaseComparison, compare_releases, evaluate_release
from discern.releases.derived import DerivedParts, build_derived
from discern.releases.enrolment_data import EnrolledPhotos, EnrolmentData, read_enrolment_data
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import GOLDEN_VECTORS_FILE, Lineage, Release, open_release
from tests.discern import candidates, toy
from tests.discern.photo_counts import PhotoCounts
from tests.edge_runtime.toy_release import repin

GATES = GateConfig(least_classes=2, least_queries=2)  # the toy is small
Candidate = tuple[Release, Metrics]


def test_evaluate_release_repeats_the_candidates_own_figures(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, metrics = candidate
    evaluation = evaluate_release(release, toy_version)
    assert evaluation.answers.metrics == metrics


def test_evaluate_release_gives_the_answers_of_the_device(production: Release, toy_version: DatasetVersion) -> None:
    evaluation = evaluate_release(production, toy_version)
    identifier = Identifier(production)
    queries = toy_version.select(split="test", role="query")
    names = [identifier.identify(queries.image_bytes(row)).label for row in range(len(queries))]
    labels = [None if number < 0 else evaluation.results.labels[number] for number in evaluation.answers.answered]
    assert names == labels[: len(names)]  # then come those that are asked as if their class were not enrolled
    assert len(labels) == len(names) + 4 * len(toy.TEST)
    assert evaluation.answers.latency_ms > 0
    size = sum(path.stat().st_size for path in production.folder.iterdir() if path.name != "release.json")
    assert evaluation.answers.size_mb == pytest.approx(size / 1e6)


def test_class_offsets_travel_with_a_release_and_are_judged_with_it(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path
) -> None:
    with_offsets = candidates.GALLERY.model_copy(update={"class_offsets": True})
    built = build_candidate(tmp_path / "release", candidates.inputs(toy_version, toy_model, gallery=with_offsets))
    device = Identifier(built.release)
    assert len(set(device.index.offsets.tolist())) > 1
    assert device.index.offsets.tolist() == [entry.offset for entry in built.release.catalogue]
    judged = evaluate_release(built.release, toy_version)
    assert judged.answers.metrics == built.metrics
    as_asked = judged.results.take(~judged.results.left_out)
    photos = judged.queries.take(np.flatnonzero(~judged.results.left_out).tolist())
    answers = [device.identify(photos.image_bytes(row)) for row in range(len(photos))]
    np.testing.assert_allclose([answer.score for answer in answers], as_asked.scores[:, 0], atol=1e-5)


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


def test_evaluate_release_decodes_and_embeds_a_photo_once(
    candidate: Candidate, toy_version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = PhotoCounts(monkeypatch)
    evaluate_release(candidate[0], toy_version)
    assert set(counts.decoded.values()) == set(counts.embedded.values()) == {1}
    assert counts.photos_of_each_model() == [24]


def test_compare_releases_decodes_a_photo_once_for_two_releases_of_one_preprocessing(
    candidate: Candidate, toy_version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = PhotoCounts(monkeypatch)
    compare_releases(candidate[0], candidate[0], toy_version, GATES)
    assert set(counts.decoded.values()) == {1}
    assert counts.photos_of_each_model() == [24, 24]


def test_a_release_against_itself_is_not_promoted(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    decision = compare_releases(release, release, toy_version, GATES).decision
    assert not decision.promote
    assert "better on accuracy" in [gate.name for gate in decision.gates if not gate.passed]


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


def test_of_one_class_photos_from_elsewhere_are_the_unknowns(
    candidate: Candidate, toy_version: DatasetVersion, tmp_path: Path
) -> None:
    one, identifier = toy.TEST[1], Identifier(candidate[0])
    kept = identifier.index.classes == candidate[0].labels.index(one)
    gallery = Gallery(identifier.index.vectors[kept], np.zeros(int(kept.sum()), dtype=np.int64), (one,))
    alone = derive(tmp_path / "alone", candidate[0], gallery)
    compared = compare_releases(alone, None, toy_version.select(labels={one}), GATES)
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


def test_the_release_is_judged_by_what_it_ships(
    candidate: Candidate, toy_version: DatasetVersion, tmp_path: Path
) -> None:
    """A gallery of other photos than the ones that the dataset version enrols changes the figures."""
    release = candidate[0]
    identifier = Identifier(release)
    one = identifier.index.classes == 0
    gallery = Gallery(
        identifier.index.vectors[~one],
        np.unique(identifier.index.classes[~one], return_inverse=True)[1],
        release.labels[1:],
    )
    derived = derive(tmp_path / "derived", release, gallery)
    judged = evaluate_release(derived, toy_version)
    asked = [label for label, out in zip(judged.results.query_labels, judged.results.left_out, strict=True) if not out]
    assert release.labels[0] in asked
    assert not judged.results.enrolled[[label == release.labels[0] for label in judged.results.query_labels]].any()
    assert judged.answers.metrics.gallery_classes == len(release.labels) - 1
    assert judged.answers.metrics != candidate[1]


def test_a_class_that_is_lost_must_have_been_retired(
    candidate: Candidate, toy_version: DatasetVersion, tmp_path: Path
) -> None:
    release = candidate[0]
    identifier = Identifier(release)
    first, *others = release.labels
    kept = identifier.index.classes > 0
    gallery = Gallery(identifier.index.vectors[kept], identifier.index.classes[kept] - 1, tuple(others))
    fewer = derive(tmp_path / "fewer", release, gallery)
    lost = named(compare_releases(fewer, release, toy_version, GATES).decision, "no class is lost")
    assert (lost.passed, lost.detail.startswith(f"{first} in production and not in")) == (False, True)
    compared = compare_releases(fewer, release, toy_version, GATES, retired=[first])
    assert named(compared.decision, "no class is lost").passed
    assert compared.candidate.results.query_labels.count(first) == 4  # asked as unknown
    turned = compare_releases(release, fewer, toy_version, GATES)
    found = named(turned.decision, "new classes are found")
    assert found.detail.startswith("TPIR ")
    assert "4 queries of 1 new class" in found.detail


def test_a_class_that_was_retired_does_not_come_back(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release = candidate[0]
    for production in (release, None):
        compared = compare_releases(release, production, toy_version, GATES, retired=[release.labels[0], "other"])
        gate = named(compared.decision, "no retired class")
        assert (gate.passed, compared.decision.promote) == (False, False)
        assert gate.detail == (
            f"{release.labels[0]} retired, and in the candidate: run data and training again, which leave out what is "
            "retired, or enrol it again (`discern enrol`)"
        )
    assert named(compare_releases(release, release, toy_version, GATES).decision, "no retired class").passed


def test_the_best_of_the_past_is_compared_too(
    candidate: Candidate, production: Release, toy_version: DatasetVersion
) -> None:
    compared = compare_releases(candidate[0], production, toy_version, GATES, past=[candidate[0]])
    assert len(compared.past) == 1
    assert compared.past[0].answers.metrics == compared.candidate.answers.metrics
    names = [gate.name for gate in compared.decision.gates]
    assert "accuracy not worse than the best of the past" in names


def test_golden_images_must_reproduce(candidate: Candidate, toy_version: DatasetVersion, tmp_path: Path) -> None:
    altered = shutil.copytree(candidate[0].folder, tmp_path / "altered")
    vectors = np.load(altered / GOLDEN_VECTORS_FILE)
    np.save(altered / GOLDEN_VECTORS_FILE, -vectors)
    release = open_release(altered, repin(altered))
    gate = named(compare_releases(release, None, toy_version, GATES).decision, "golden images reproduce")
    assert (gate.passed, "gives other answers than it was built with" in gate.detail) == (False, True)


def test_a_photo_that_a_release_enrols_is_not_asked(
    candidate: Candidate, toy_version: DatasetVersion, tmp_path: Path
) -> None:
    release = candidate[0]
    queries = toy_version.select(split="test", role="query", labels={toy.TEST[1]})
    data = read_enrolment_data(release)
    held = data.gallery.with_further(
        EnrolledPhotos(data.gallery.vectors[:1], [toy.TEST[1]], [queries.column("sha256")[0]])
    )
    identifier = Identifier(release)
    gallery = Gallery(identifier.index.vectors, identifier.index.classes, release.labels)
    derived = derive(tmp_path / "derived", release, gallery, replace(data, gallery=held))
    judged = evaluate_release(derived, toy_version)
    assert judged.results.query_labels.count(toy.TEST[1]) == 2 * 3


def test_a_candidate_without_a_dataset_version_is_refused(production: Release, toy_version: DatasetVersion) -> None:
    unsaid = replace(production, manifest=production.manifest.model_copy(update={"lineage": Lineage()}))
    with pytest.raises(ConfigError, match="does not say which dataset version it was made from: train it again"):
        compare_releases(unsaid, None, toy_version, GATES)


def test_equal_photos_and_labels_have_one_name(candidate: Candidate, toy_version: DatasetVersion) -> None:
    whole = compare_releases(candidate[0], None, toy_version, GATES).test_set
    assert whole == compare_releases(candidate[0], None, toy_version, GATES).test_set
    part = toy_version.select(labels=set(toy.LABELS) - {toy.TEST[1]})
    assert whole != compare_releases(candidate[0], None, part, GATES).test_set


def named(decision: PromotionDecision, name: str) -> GateResult:
    return next(gate for gate in decision.gates if gate.name == name)


def derive(folder: Path, base: Release, gallery: Gallery, data: EnrolmentData | None = None) -> Release:
    """A release with the model and the rule of `base` and another gallery."""
    identifier = Identifier(base)
    parts = DerivedParts(
        gallery=gallery,
        unchanged=frozenset(gallery.labels),
        thumbnails={},
        rule=identifier.rule,
        calibrator=identifier.calibrator,
        metrics={},
        counts={},
        enrolment=data or read_enrolment_data(base),
        lineage=base.manifest.lineage,
    )
    return build_derived(folder, base, parts)
