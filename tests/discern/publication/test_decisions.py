"""What people decide: approve, reject, roll back, pin."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.errors import PublicationError
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release

WHO = ("Ada", "a test")


def files(repository: ReleaseRepository) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path(repository.url).rglob("*") if path.is_file()}


def told(repository: ReleaseRepository) -> list[tuple[str, str | None, str | None, str | None]]:
    return [(record.action, record.channel, record.release, record.previous) for record in repository.history().records]


def test_a_staged_release_waits_until_a_person_approves_it(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    first, second = toy_release.id, newer_release.id
    repository.stage(toy_release, "staging")
    assert repository.current("production") is None
    assert repository.approve(first, *WHO, channel="production") == "production"
    assert (repository.current("production"), repository.current("staging")) == (first, None)
    repository.publish(newer_release, "production")
    repository.rollback("production", first, *WHO)
    assert told(repository) == [
        ("stage", "staging", first, None),
        ("approve", "production", first, None),
        ("unstage", "staging", None, first),
        ("publish", "production", second, first),
        ("rollback", "production", first, second),
    ]
    assert {record.by for record in repository.history().records} == {None, "Ada"}


def test_a_rejected_release_waits_no_longer_and_is_held(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    repository.stage(newer_release, "staging")
    repository.reject(newer_release.id, "Ada", "blurred photos")
    assert repository.current("staging") is None
    assert "rejected by Ada" in str(repository.is_held(newer_release.id, "production"))
    assert "blurred photos" in str(repository.is_held(newer_release.id, "staging"))
    with pytest.raises(PublicationError, match=r"is live on channel 'production' .*: run `discern release rollback`"):
        repository.reject(toy_release.id, *WHO)


def test_a_release_that_was_rolled_back_from_is_held_until_a_person_puts_it_back(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "production")
    repository.rollback("production", toy_release.id, "Ada", "slow")
    assert "rolled back by Ada" in str(repository.is_held(newer_release.id, "production"))
    repository.rollback("production", newer_release.id, *WHO)
    assert repository.is_held(newer_release.id, "production") is None


def test_a_release_of_another_use_case_is_put_on_no_channel(
    repository: ReleaseRepository, toy_release: Release, groceries: Release
) -> None:
    repository.publish(groceries, "production")  # as a publisher of before let happen
    repository.publish(toy_release, "production")
    repository.publish(groceries, "other-production")
    before = files(repository)
    for decide in (
        lambda: repository.rollback("production", groceries.id, *WHO),
        lambda: repository.approve(groceries.id, *WHO, channel="production"),
    ):
        with pytest.raises(PublicationError, match="is of the use case 'groceries', and channel 'production'"):
            decide()
    assert files(repository) == before


def test_a_channel_goes_back_only_to_what_was_live_on_it_and_not_rejected(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    repository.stage(newer_release, "staging")
    for channel in ("production", "staging", "new"):
        with pytest.raises(PublicationError, match=rf"was never live on channel '{channel}' .* `discern release appr"):
            repository.rollback(channel, toy_release.id if channel != "production" else newer_release.id, *WHO)
    repository.approve(newer_release.id, *WHO)
    repository.rollback("production", toy_release.id, *WHO)
    repository.reject(newer_release.id, "Ada", "mistakes M6")
    with pytest.raises(PublicationError, match=r"was rejected by Ada on .*: mistakes M6; choose another release, or"):
        repository.rollback("production", newer_release.id, *WHO)
    assert repository.current("production") == toy_release.id
    repository.approve(newer_release.id, *WHO)
    assert repository.current("production") == newer_release.id


@pytest.mark.parametrize("told", [True, False])
def test_what_was_judged_against_another_release_is_approved_only_anyway(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, third: Release, told: bool
) -> None:
    """A history of before does not tell; then what the channel named when the release was staged counts."""
    repository.publish(toy_release, "production")
    judged = {"production": "production", "judged_against": toy_release.id} if told else {}
    repository.stage(newer_release, "staging", **judged)
    repository.publish(third, "production")
    before = files(repository)
    with pytest.raises(
        PublicationError,
        match=rf"judged against {toy_release.id}, and .* names {third.id} by now: run .* again, or .* with --anyway",
    ):
        repository.approve(newer_release.id, *WHO)
    assert files(repository) == before
    repository.approve(newer_release.id, *WHO, anyway=True)
    assert (repository.current("production"), repository.current("staging")) == (newer_release.id, None)


def test_a_first_release_is_approved_only_while_there_is_no_other(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    for release, channel in ((toy_release, "staging"), (newer_release, "also")):
        repository.stage(release, channel, production="production", judged_against=None)
    repository.approve(toy_release.id, *WHO)
    with pytest.raises(PublicationError, match=rf"was judged against none, and .* names {toy_release.id} by now"):
        repository.approve(newer_release.id, *WHO)


def test_a_decision_is_about_the_channel_that_a_release_waits_for_or_that_of_its_use_case(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, third: Release, groceries: Release
) -> None:
    repository.publish(groceries, "production")
    repository.stage(toy_release, "parts-staging")
    with pytest.raises(
        PublicationError, match=r"no channel that devices follow names .* 'squares' .*: say with --chan"
    ):
        repository.approve(toy_release.id, *WHO)
    repository.reject(toy_release.id, *WHO)
    repository.stage(newer_release, "parts-staging", production="parts-production", judged_against=None)
    assert repository.approve(newer_release.id, *WHO) == "parts-production"
    repository.stage(third, "parts-staging")
    assert repository.approve(third.id, *WHO) == "parts-production"
    assert repository.rollback(None, newer_release.id, *WHO) == "parts-production"
    repository.publish(third, "old-machines")
    with pytest.raises(PublicationError, match=r"channels old-machines, parts-production name .* say with --channel"):
        repository.rollback(None, third.id, *WHO)
    assert repository.current("production") == groceries.id


@pytest.mark.parametrize("decide", ["approve", "reject"])
def test_a_waiting_release_is_decided_on_after_its_channel_was_pinned_and_unpinned(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, decide: str
) -> None:
    repository.publish(toy_release, "production")
    repository.stage(newer_release, "staging")
    repository.pin("staging", *WHO)
    with pytest.raises(
        PublicationError, match=r"'staging' .* was pinned by Ada .*: run `discern release unpin staging`"
    ):
        getattr(repository, decide)(newer_release.id, *WHO)
    repository.unpin("staging", *WHO)
    getattr(repository, decide)(newer_release.id, *WHO)
    assert repository.current("staging") is None


def test_a_pinned_channel_refuses_with_who_and_why(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    repository.pin("production", "Ada", "the fair is on")
    before = files(repository)
    for change in (
        lambda: repository.publish(newer_release, "production"),
        lambda: repository.approve(toy_release.id, *WHO),
        lambda: repository.rollback("production", toy_release.id, *WHO),
        lambda: repository.pin("production", *WHO),
    ):
        with pytest.raises(
            PublicationError, match=r"was pinned by Ada on .* \(the fair is on\): run `discern release unp"
        ):
            change()
    assert files(repository) == before
    repository.refresh()
    repository.unpin("production", *WHO)
    repository.publish(newer_release, "production")
    with pytest.raises(PublicationError, match="is not pinned"):
        repository.unpin("production", *WHO)
    with pytest.raises(PublicationError, match="has no channel 'nowhere'"):
        repository.pin("nowhere", *WHO)


@pytest.mark.parametrize(("by", "why"), [("", "because"), ("Ada", " ")])
def test_a_decision_needs_a_name_and_a_reason(
    repository: ReleaseRepository, toy_release: Release, by: str, why: str
) -> None:
    repository.publish(toy_release, "production")
    with pytest.raises(PublicationError, match="say who with --by, and why with --why"):
        repository.reject(toy_release.id, by, why)
