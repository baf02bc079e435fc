from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from discern.enrolment.photos import NewPhotos, read_photos
from discern.enrolment.proposal import Proposal, build_proposal, propose
from discern.errors import DataError, PublicationError
from discern.evaluation.cross_fitting import fit_promised_rule
from discern.evaluation.metrics import Metrics
from discern.releases.enrolment_data import enrolled_photos, read_enrolment_data
from discern.sources.enrolled.ledger import OfferedPhoto
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import encode_png
from edge_runtime.core.index import GRAPH_FILE, VECTORS_FILE
from edge_runtime.core.release import ENROLMENT_FILE, MODEL_FILE, Release
from tests.discern import toy

NEW = toy.TRAINED[0]
MORE = toy.VALIDATION[0]


@pytest.fixture(scope="module")
def base(candidate: tuple[Release, Metrics]) -> Release:
    return candidate[0]


def offered(release: Release, *labels: str, seeds: range = range(40, 43)) -> NewPhotos:
    photos = [
        OfferedPhoto(label, f"{label}/{seed}.png", encode_png(toy.disc(label, seed)))
        for label in labels
        for seed in seeds
    ]
    return read_photos(release, Identifier(release).model, photos)


@pytest.fixture(scope="module")
def proposal(base: Release) -> Proposal:
    new = offered(base, NEW, MORE)
    return propose(base, Identifier(base), new, retired=frozenset({toy.TEST[1]}))


@pytest.fixture(scope="module")
def enrolled(proposal: Proposal, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_proposal(tmp_path_factory.mktemp("enrolled") / "release", proposal)


def test_what_is_measured_is_what_ships(proposal: Proposal, enrolled: Release) -> None:
    identifier = Identifier(enrolled)
    results = proposal.data.test.search_index(identifier.index, enrolled.labels).stated_by(identifier.calibrator)
    assert np.array_equal(results.answers(identifier.rule), proposal.after.answers(proposal.rule))
    np.testing.assert_allclose(results.scores, proposal.after.scores, atol=1e-6)
    assert enrolled.manifest.metrics["tpir"] == pytest.approx(proposal.metrics.tpir)


def test_the_rule_is_fitted_for_the_new_gallery(proposal: Proposal, enrolled: Release) -> None:
    data, elsewhere = proposal.data, proposal.data.elsewhere
    results = data.validation.search(proposal.fitted.gallery)
    foreign = None if elsewhere is None else proposal.fitted.gallery.index.best_classes(elsewhere.fitting, 2)[1]
    assert Identifier(enrolled).rule == fit_promised_rule(results, proposal.rule.fpir, foreign).rule


def test_new_photos_are_found_and_what_is_retired_has_no_name(enrolled: Release, base: Release) -> None:
    assert set(enrolled.labels) == set(base.labels) - {toy.TEST[1]} | {NEW}
    identifier = Identifier(enrolled)
    nearest = [identifier.identify(encode_png(toy.disc(NEW, seed))).matches[0].label for seed in range(60, 66)]
    assert nearest.count(NEW) >= 5
    assert enrolled.manifest.lineage.enrolled_into == base.id
    assert enrolled.manifest.lineage.dataset_version == base.manifest.lineage.dataset_version


def test_neither_model_nor_index_is_new(enrolled: Release, base: Release) -> None:
    for name in (MODEL_FILE, VECTORS_FILE, GRAPH_FILE):
        assert enrolled.manifest.files[name] == base.manifest.files[name]


def test_the_next_enrolment_goes_on_from_there(enrolled: Release, tmp_path: Path) -> None:
    assert {NEW, MORE} <= set(read_enrolment_data(enrolled).gallery.labels)
    new = offered(enrolled, toy.TRAINED[1])
    second = build_proposal(tmp_path / "second", propose(enrolled, Identifier(enrolled), new))
    assert set(second.labels) == {*enrolled.labels, toy.TRAINED[1]}
    assert second.manifest.lineage.enrolled_into == enrolled.id


def test_only_the_classes_that_changed_are_reported_on(proposal: Proposal) -> None:
    assert {report.label for report in proposal.reports} == {NEW, MORE}
    assert [report.label for report in proposal.reports].count(NEW) == 3
    assert proposal.new_labels == {NEW}


def test_the_queries_of_a_retired_class_are_unknowns(proposal: Proposal) -> None:
    rows = np.array([label == toy.TEST[1] for label in proposal.after.query_labels])
    assert proposal.before.enrolled[rows].any()
    assert not proposal.after.enrolled[rows].any()


def test_a_change_that_changes_nothing_is_refused(base: Release, proposal: Proposal) -> None:
    again = offered(base, NEW)
    changed = propose(base, Identifier(base), again)
    same = replace(again, enrolled=changed.gallery.select([label in base.labels for label in changed.gallery.labels]))
    with pytest.raises(DataError, match=r"every photo is enrolled already: nothing was changed\."):
        propose(base, Identifier(base), same)
    assert NEW not in base.labels


def test_the_photos_that_a_release_enrols_are_known(enrolled: Release, production: Release, proposal: Proposal) -> None:
    assert enrolled_photos(enrolled) == set(proposal.gallery.sha256)
    assert enrolled_photos(production) == frozenset()


def test_a_release_that_carries_no_embeddings_says_what_to_do(
    production: Release, base: Release, tmp_path: Path
) -> None:
    with pytest.raises(PublicationError, match="train and promote once, then enrol"):
        read_enrolment_data(production)
    copy = Release(shutil.copytree(base.folder, tmp_path / "copy"), base.manifest, base.digest)
    (copy.folder / ENROLMENT_FILE).write_bytes(b"other")
    with pytest.raises(PublicationError, match="was altered"):
        read_enrolment_data(copy)
    (copy.folder / ENROLMENT_FILE).unlink()
    with pytest.raises(PublicationError, match="cannot be read"):
        read_enrolment_data(copy)
