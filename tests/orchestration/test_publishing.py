"""What a decision and a person let through reaches its channel, over what it was judged against and nothing else."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from discern.errors import PublicationError
from discern.evaluation.gates import GateResult, PromotionDecision
from discern.publication.channels import Approval, Channels
from discern.publication.metadata import Expiries
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from orchestration.publishing import Publication, publish_release
from tests.edge_runtime.toy_release import build_toy
from tests.steps.promotion.conftest import USE_CASE, candidate, repository, second

__all__ = ["candidate", "repository", "second"]

BETTER = PromotionDecision(promote=True, reason="better", gates=())
WORSE = PromotionDecision(promote=False, reason="worse", gates=())


@pytest.fixture(autouse=True)
def _no_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirrors have tests of their own."""
    monkeypatch.setattr("orchestration.publishing.follow", lambda *_: [])


def publish(
    release: Release,
    decision: PromotionDecision = BETTER,
    approval: Approval = "automatic",
    expected: str | None = None,
    keys: str | None = None,
) -> Publication:
    return publish_release(release, decision, USE_CASE, keys, approval, Channels(), expected=expected)


@pytest.mark.parametrize("approval", ["automatic", "manual"])
def test_a_release_that_was_judged_against_another_one_changes_nothing(
    repository: ReleaseRepository, candidate: Release, second: Release, approval: Approval
) -> None:
    repository.publish(candidate, "production")
    for expected in (None, "", "0" * 16):
        with pytest.raises(PublicationError, match=f"names {candidate.id} by now.*judged against"):
            publish(second, approval=approval, expected=expected)
    assert [record.action for record in repository.history().records] == ["publish"]
    assert publish(second, approval=approval, expected=candidate.id).channel is not None


def test_a_release_waits_once_however_often_it_is_let_through(
    repository: ReleaseRepository, candidate: Release, second: Release
) -> None:
    repository.publish(second, "production")
    for _ in range(2):
        waiting = publish(candidate, approval="manual", expected=second.id)
        assert (waiting.channel, waiting.reason) == ("staging", "better")
    assert [record.action for record in repository.history().records] == ["publish", "stage"]


def test_what_cannot_be_told_waits_for_a_person(
    repository: ReleaseRepository, candidate: Release, second: Release
) -> None:
    repository.publish(second, "production")
    small = GateResult(name="enough to tell", passed=False, detail="4 queries too few", told=False)
    untold = PromotionDecision(promote=False, reason="too few queries", gates=(small,))
    published = publish(candidate, untold, expected=second.id)
    assert (published.channel, published.reason) == ("staging", "too few queries")
    assert (repository.current("production"), repository.current("staging")) == (second.id, candidate.id)
    worse = untold.model_copy(update={"gates": (small, small.model_copy(update={"told": True}))})
    repository.reject(candidate.id, "Ada", "worse")
    assert publish(candidate, worse, expected=second.id).channel is None


@pytest.mark.parametrize("approval", ["automatic", "manual"])
def test_what_a_person_decided_holds(
    repository: ReleaseRepository, candidate: Release, second: Release, approval: Approval
) -> None:
    repository.publish(candidate, "production")
    repository.publish(second, "production")
    repository.rollback("production", candidate.id, "Ada", "too slow")
    published = publish(second, approval=approval, expected=candidate.id)
    assert published.channel is None
    assert "rolled back by Ada" in published.reason
    assert published.reason.endswith("too slow")
    assert publish(second, WORSE, approval, candidate.id).reason == published.reason
    assert (repository.current("production"), repository.current("staging")) == (candidate.id, None)
    repository.approve(second.id, "Ada", "mended")
    assert publish(second, expected=second.id).channel == "production"


def test_a_channel_of_another_use_case_is_refused(
    repository: ReleaseRepository, candidate: Release, tmp_path: Path
) -> None:
    other = build_toy(tmp_path / "pills", name="pills")
    repository.publish(other, "staging")
    with pytest.raises(PublicationError, match=r"channel 'staging'.*of the use case 'pills'"):
        publish(candidate, approval="manual")
    repository.publish(other, "production")
    for approval in ("automatic", "manual"):
        with pytest.raises(PublicationError, match=r"channel 'production'.*of the use case 'pills'"):
            publish(candidate, approval=approval, expected=other.id)
    assert [item.id for item in repository.releases()] == [other.id]


def test_the_decision_is_kept_in_the_history(repository: ReleaseRepository, candidate: Release) -> None:
    publish(candidate)
    (record,) = repository.history().records
    assert (record.action, record.why, record.by) == ("publish", "better", None)


@pytest.mark.parametrize(("days", "signs"), [(30, False), (10, True)])
def test_a_run_that_promotes_nothing_signs_anew_what_is_half_over(
    repository: ReleaseRepository, candidate: Release, days: int, signs: bool
) -> None:
    ReleaseRepository(repository.url, repository.keys, Expiries(timestamp=timedelta(days=days))).publish(
        candidate, "production"
    )
    before = repository.expires()["timestamp"]
    assert publish(candidate, WORSE).channel is None
    assert (repository.expires()["timestamp"] > before) is signs


@pytest.mark.parametrize("decision", ["waits", "pinned", "held", "raced"])
def test_whatever_a_run_comes_to_the_signatures_are_fresh(
    repository: ReleaseRepository, candidate: Release, second: Release, decision: str
) -> None:
    ten_days = ReleaseRepository(repository.url, repository.keys, Expiries(timestamp=timedelta(days=10)))
    ten_days.publish(second, "production")
    if decision == "waits":
        publish(candidate, approval="manual", expected=second.id)
    if decision == "pinned":
        ten_days.pin("production", "Ada", "the fair is on")
    if decision == "held":
        ten_days.stage(candidate, "staging")
        ten_days.reject(candidate.id, "Ada", "worse")
    ten_days.refresh()
    before = repository.expires()["timestamp"]
    expected = "0" * 16 if decision == "raced" else second.id
    with suppress(PublicationError):
        publish(candidate, approval="manual" if decision == "waits" else "automatic", expected=expected)
    assert repository.expires()["timestamp"] > before


def test_a_waiting_candidate_gives_way_to_a_newer_one_and_to_one_that_goes_live(
    repository: ReleaseRepository, candidate: Release, second: Release
) -> None:
    publish(second, approval="manual")
    publish(candidate, approval="manual")
    assert repository.current("staging") == candidate.id
    assert publish(second).channel == "production"
    assert (repository.current("production"), repository.current("staging")) == (second.id, None)


def test_the_history_tells_what_a_waiting_release_was_judged_against(
    repository: ReleaseRepository, candidate: Release, second: Release
) -> None:
    repository.publish(second, "production")
    publish(candidate, approval="manual", expected=second.id)
    (_, staged) = repository.history().records
    assert (staged.waits_for, staged.judged_against) == ("production", second.id)


def test_a_run_without_keys_that_promotes_nothing_tells_when_updates_end(
    repository: ReleaseRepository, candidate: Release, caplog: pytest.LogCaptureFixture
) -> None:
    ReleaseRepository(repository.url, repository.keys, Expiries(timestamp=timedelta(days=10))).refresh()
    (Path(repository.keys) / "timestamp.pem").unlink()
    with caplog.at_level(logging.WARNING):
        assert publish(candidate, WORSE).reason == "worse"
    assert "devices take updates until" in caplog.text
    assert "timestamp.pem" in caplog.text


def test_missing_keys_and_a_repository_of_another_root_change_nothing(
    repository: ReleaseRepository, candidate: Release, tmp_path: Path
) -> None:
    other = ReleaseRepository(str(tmp_path / "releases"), tmp_path / "keys")
    other.initialise()
    with pytest.raises(PublicationError, match="was made with other keys than those in"):
        publish(candidate, keys=other.keys)
    (Path(repository.keys) / "targets.pem").unlink()
    with pytest.raises(PublicationError, match=r"targets\.pem"):
        publish(candidate)
    assert repository.releases() == []
