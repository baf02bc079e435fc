from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError, DataError
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.gates import GateConfig
from discern.evaluation.metrics import Metrics
from discern.releases.examine import ReleaseComparison, compare_releases, evaluate_release, representation
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import Release
from tests.discern import candidates, toy

GATES = GateConfig(resamples=300)
Candidate = tuple[Release, Metrics]


def test_an_examination_repeats_the_candidates_own_figures(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, metrics = candidate
    examined = evaluate_release(release, toy_version, candidates.GALLERY)
    assert examined.answers.metrics == metrics


def test_an_examination_is_what_the_release_answers(production: Release, toy_version: DatasetVersion) -> None:
    examined = evaluate_release(production, toy_version, candidates.GALLERY)
    identifier = Identifier(production)
    queries = toy_version.select(split="test", role="query")
    names = [identifier.identify(queries.image_bytes(row)).label for row in range(len(queries))]
    labels = [None if number < 0 else examined.outcomes.labels[number] for number in examined.answers.answered]
    assert names == labels
    assert examined.answers.latency_ms > 0
    size = sum(path.stat().st_size for path in production.folder.iterdir() if path.name != "release.json")
    assert examined.answers.size_mb == pytest.approx(size / 1e6)


def test_classes_of_the_test_set_that_a_release_never_enrolled_are_enrolled_for_the_test(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    wider = GalleryConfig(photos_per_class=1)
    examined = evaluate_release(candidate[0], toy_version, wider)
    assert set(examined.outcomes.labels) == {*toy.TRAINED, *toy.VALIDATION, *toy.TEST}
    assert set(candidate[0].labels) < set(examined.outcomes.labels)


def test_a_gallery_that_is_not_the_candidates_is_an_error_that_says_where_to_look(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    for other in (GalleryConfig(photos_per_class=1), GalleryConfig(splits=("test",))):
        with pytest.raises(ConfigError, match=r"ships 8 others: write the same `gallery` into the training and"):
            compare_releases(candidate[0], None, toy_version, other, GATES)


def test_a_release_is_examined_with_the_representation_it_ships(
    candidate: Candidate, production: Release, toy_version: DatasetVersion
) -> None:
    release, metrics = candidate
    other = candidates.GALLERY.represented("prototype")
    assert release.manifest.represent == "exemplars"
    for config in (other, other.model_copy(update={"represent": "auto"})):
        assert representation(release, config) == "exemplars"
        assert evaluate_release(release, toy_version, config).answers.metrics == metrics
    # Production does not say: what the config says, and under `auto` what its rows look like, two photos a class.
    assert production.manifest.represent is None
    assert representation(production, other) == "prototype"
    assert representation(production, GalleryConfig(represent="auto")) == "exemplars"
    single = production.manifest.counts.model_copy(update={"gallery": 8})
    means = replace(production, manifest=production.manifest.model_copy(update={"counts": single}))
    assert representation(means, GalleryConfig(represent="auto")) == "prototype"


def test_a_representation_that_is_not_the_candidates_is_an_error(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    with pytest.raises(ConfigError, match=r"has `represent: prototype`, the release .* ships `exemplars`: write"):
        compare_releases(candidate[0], None, toy_version, candidates.GALLERY.represented("prototype"), GATES)
    auto = candidates.GALLERY.model_copy(update={"represent": "auto"})
    chosen, stated = (
        compare_releases(candidate[0], None, toy_version, config, GATES) for config in (auto, candidates.GALLERY)
    )
    np.testing.assert_array_equal(chosen.candidate.answers.answered, stated.candidate.answers.answered)


def test_both_answer_the_same_queries_each_with_its_own_preprocessing(
    comparison: ReleaseComparison, candidate: Candidate, production: Release
) -> None:
    assert comparison.production is not None
    assert candidate[0].preprocessing != production.preprocessing
    ours, theirs = comparison.candidate, comparison.production
    np.testing.assert_array_equal(ours.answers.truth, theirs.answers.truth)
    assert ours.outcomes.names == theirs.outcomes.names
    assert not np.array_equal(ours.answers.answered, theirs.answers.answered)
    gain = ours.answers.metrics.accuracy - theirs.answers.metrics.accuracy
    assert comparison.verdict.differences["accuracy"].difference == pytest.approx(gain)
    assert len(comparison.verdict.gates) == 8


def test_a_release_against_itself_is_not_promoted(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    verdict = compare_releases(release, release, toy_version, candidates.GALLERY, GATES).verdict
    assert not verdict.promote
    assert [gate.name for gate in verdict.gates if not gate.passed] == ["better on at least one"]


def test_where_nothing_is_in_production_floors_decide(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, metrics = candidate
    recall, refusal = metrics.recall_at_1, metrics.tnir
    assert recall is not None
    assert refusal is not None
    reached = GATES.model_copy(update={"least_recall_at_1": recall, "least_tnir": refusal})
    first = compare_releases(release, None, toy_version, candidates.GALLERY, reached)
    assert first.verdict.promote
    assert first.production is None
    missed = reached.model_copy(update={"least_recall_at_1": recall + 0.01})
    assert not compare_releases(release, None, toy_version, candidates.GALLERY, missed).verdict.promote


def test_a_test_set_without_unknowns_promotes_nothing(
    candidate: Candidate, production: Release, toy_version: DatasetVersion
) -> None:
    known = toy_version.select(labels=set(toy.LABELS) - set(toy.TEST_UNKNOWNS))
    for other in (production, None):
        verdict = compare_releases(candidate[0], other, known, candidates.GALLERY, GATES).verdict
        assert not verdict.promote
        assert any("TNIR" in gate.name and not gate.passed for gate in verdict.gates)


def test_a_release_of_other_things_is_not_replaced(
    candidate: Candidate, production: Release, toy_version: DatasetVersion
) -> None:
    parts = replace(production, manifest=production.manifest.model_copy(update={"name": "parts"}))
    with pytest.raises(ConfigError, match=r"carries 'parts', which 'toy <pills>' would replace .* `channels` of its"):
        compare_releases(candidate[0], parts, toy_version, candidates.GALLERY, GATES)


def test_a_test_set_without_queries_is_an_error(candidate: Candidate, toy_version: DatasetVersion) -> None:
    with pytest.raises(DataError, match="test split has no query"):
        compare_releases(candidate[0], None, toy_version.select(role="gallery"), candidates.GALLERY, GATES)
