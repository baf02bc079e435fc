from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from discern.publication.repository import ReleaseRepository
from discern.sources.enrolled.ledger import EnrolmentRequest, Ledger
from edge_runtime.core.release import Release, open_release
from orchestration.enrolment_ledger import enrolled_chain, settle
from tests.edge_runtime.toy_release import build_toy, enrol_into, read_manifest, write_manifest
from tests.steps.promotion.conftest import USE_CASE, candidate, repository

__all__ = ["candidate", "repository"]


@pytest.fixture
def enrolled(candidate: Release, tmp_path: Path) -> Release:
    """A release with one class more than the candidate."""
    folder = build_toy(tmp_path / "enrolled", name=USE_CASE).folder
    enrol_into(folder, "purple", (120, 20, 160))
    manifest = read_manifest(folder)
    manifest["lineage"]["enrolled_into"] = candidate.id
    return open_release(folder, write_manifest(folder, manifest))


def test_a_chain_ends_at_the_release_that_was_trained(
    repository: ReleaseRepository, candidate: Release, enrolled: Release
) -> None:
    repository.publish(candidate, "production")
    repository.publish(enrolled, "production")
    assert enrolled_chain(repository, enrolled.id) == ({enrolled.id, candidate.id}, candidate.created)
    assert enrolled_chain(repository, candidate.id) == ({candidate.id}, candidate.created)


def test_a_chain_ends_where_a_release_was_collected(
    repository: ReleaseRepository, candidate: Release, enrolled: Release
) -> None:
    repository.publish(enrolled, "production")
    assert enrolled_chain(repository, enrolled.id) == ({enrolled.id, candidate.id}, enrolled.created)


def test_the_ledger_follows_the_channel(
    repository: ReleaseRepository,
    candidate: Release,
    enrolled: Release,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))
    monkeypatch.setattr("orchestration.storage_layout.enrolments", lambda _use_case: ledger.url)
    repository.publish(candidate, "production")
    settle(repository, USE_CASE, candidate.id)
    asked = EnrolmentRequest(use_case=USE_CASE, requested=datetime.now(timezone.utc), by="Ada", retire=("old",))
    repository.publish(enrolled, "production")
    ledger.publish(ledger.offer(asked, []), enrolled.id)
    for production, live in ((enrolled.id, True), (candidate.id, False), (None, False), (enrolled.id, True)):
        settle(repository, USE_CASE, production)
        assert ledger.exists() is live
