"""What is enrolled is noted before it goes live, so that a run that is cut off loses no class."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from discern.errors import PublicationError
from discern.evaluation.gates import GateResult, PromotionDecision
from discern.publication.channels import Channels
from discern.publication.repository import ReleaseRepository
from discern.sources.enrolled.ledger import EnrolmentRequest, Ledger, OfferedPhoto
from edge_runtime.core.release import Release, open_release
from orchestration.enrolment_ledger import settle
from steps.enrolment.publish import publish
from tests.edge_runtime.toy_release import build_toy, enrol_into, read_manifest, write_manifest
from tests.steps.promotion.conftest import USE_CASE, candidate, repository

__all__ = ["candidate", "repository"]
BETTER = PromotionDecision(promote=True, reason="found", gates=())
WORSE = PromotionDecision(promote=False, reason="lost", gates=(GateResult(name="TPIR", passed=False, detail=""),))


@pytest.fixture
def enrolled(repository: ReleaseRepository, candidate: Release, tmp_path: Path) -> Release:
    """A release with one class more than the candidate, which is in production."""
    repository.publish(candidate, "production")
    folder = build_toy(tmp_path / "enrolled", name=USE_CASE).folder
    enrol_into(folder, "purple", (120, 20, 160))
    manifest = read_manifest(folder)
    manifest["lineage"]["enrolled_into"] = candidate.id
    return open_release(folder, write_manifest(folder, manifest))


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr("orchestration.storage_layout.enrolments", lambda _use_case: str(tmp_path / "ledger"))
    return Ledger(str(tmp_path / "ledger"))


def run(ledger: Ledger, release: Release, decision: PromotionDecision = BETTER) -> None:
    asked = EnrolmentRequest(use_case=USE_CASE, requested=datetime.now(timezone.utc), by="Ada")
    request = ledger.offer(asked, [OfferedPhoto("purple", "1.jpg", b"x")])
    publish.entrypoint(release, decision, request.id, USE_CASE, None, "automatic", Channels())


def test_what_goes_live_counts_and_what_is_refused_leaves_no_note(ledger: Ledger, enrolled: Release) -> None:
    run(ledger, enrolled, WORSE)
    assert not ledger.has_notes()
    run(ledger, enrolled)
    assert list(ledger.state().classes) == ["purple"]


def test_what_cannot_be_published_does_not_count(
    ledger: Ledger, enrolled: Release, repository: ReleaseRepository
) -> None:
    repository.pin("production", by="Ada", why="an audit")
    with pytest.raises(PublicationError, match="pinned"):
        run(ledger, enrolled)
    assert (ledger.has_notes(), ledger.exists()) == (True, False)


def test_a_run_that_is_cut_off_once_the_release_is_live_loses_no_class(
    ledger: Ledger, enrolled: Release, repository: ReleaseRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestration.publishing.follow", killed)
    with pytest.raises(KeyboardInterrupt):
        run(ledger, enrolled)
    assert repository.current("production") == enrolled.id
    assert not ledger.exists()
    settle(repository, USE_CASE, enrolled.id)  # as the next enrolment, promotion or `discern release check` does
    assert list(ledger.state().classes) == ["purple"]
