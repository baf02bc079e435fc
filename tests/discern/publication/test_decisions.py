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
    repository.approve(first, *WHO)
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
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    """The toy releases are of two use cases."""
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "other-production")
    before = files(repository)
    for decide in (
        lambda: repository.rollback("production", newer_release.id, *WHO),
        lambda: repository.approve(newer_release.id, *WHO),
    ):
        with pytest.raises(PublicationError, match="is of the use case 'squares and orange', and channel 'production'"):
            decide()
    with pytest.raises(PublicationError, match=r"channel 'new' .* never named release .* `discern release approve`"):
        repository.rollback("new", newer_release.id, *WHO)
    assert files(repository) == before


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
