"""What a run may put on a channel, by the state that it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.errors import PublicationError
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release, open_release
from tests.edge_runtime.toy_release import build_toy, enrol_into, read_manifest, write_manifest

WHO = ("Ada", "a test")


def enrolled(folder: Path, base: Release) -> Release:
    """A release that was enrolled into another one."""
    build_toy(folder)
    enrol_into(folder, "purple", (120, 40, 160))
    manifest = read_manifest(folder)
    manifest["lineage"]["enrolled_into"] = base.id
    return open_release(folder, write_manifest(folder, manifest))


def actions(repository: ReleaseRepository) -> list[str]:
    return [record.action for record in repository.history().records]


def test_a_run_puts_no_release_there_that_a_person_rejected_meanwhile(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    """Whoever looked at the history before saw nothing against it."""
    repository.publish(toy_release, "production")
    repository.stage(newer_release, "staging")
    repository.reject(newer_release.id, "Ada", "mistakes M6")
    for put in (
        lambda: repository.publish(newer_release, "production", toy_release.id),
        lambda: repository.stage(newer_release, "staging", production="production", judged_against=toy_release.id),
    ):
        with pytest.raises(PublicationError, match=r"was rejected by Ada on .*: mistakes M6; no run puts it on a chan"):
            put()
    assert (repository.current("production"), repository.current("staging")) == (toy_release.id, None)


def test_a_release_is_staged_for_the_channel_that_it_was_rolled_back_from_only_by_a_person(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    repository.publish(newer_release, "production")
    repository.rollback("production", toy_release.id, *WHO)
    with pytest.raises(PublicationError, match="was rolled back by Ada"):
        repository.stage(newer_release, "staging", production="production")


def test_what_was_enrolled_and_waits_for_a_person_is_not_put_aside(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, third: Release, tmp_path: Path
) -> None:
    waiting = enrolled(tmp_path / "enrolled", toy_release)
    repository.stage(toy_release, "staging")
    repository.stage(waiting, "staging")
    with pytest.raises(
        PublicationError,
        match=rf"{waiting.id} waits for a person .* approve {waiting.id}` or .* reject {waiting.id}`, then",
    ):
        repository.stage(newer_release, "staging")
    repository.stage(newer_release, "staging", waiting.id)
    repository.reject(newer_release.id, *WHO)
    repository.stage(third, "staging")
    assert repository.current("staging") == third.id


def test_what_was_enrolled_into_a_waiting_release_takes_its_place(
    repository: ReleaseRepository, toy_release: Release, tmp_path: Path
) -> None:
    first = enrolled(tmp_path / "first", toy_release)
    second = enrolled(tmp_path / "second", first)
    repository.stage(toy_release, "staging")
    repository.stage(first, "staging")
    repository.stage(second, "staging")
    assert repository.current("staging") == second.id


def test_a_release_that_is_judged_anew_waits_by_the_newest_judgement(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, third: Release
) -> None:
    repository.publish(toy_release, "production")
    for production, record in ((toy_release, 1), (toy_release, 1), (third, 2)):
        if repository.current("production") != production.id:
            repository.publish(production, "production")
        repository.stage(newer_release, "staging", production="production", judged_against=production.id)
        assert actions(repository).count("stage") == record
    repository.approve(newer_release.id, *WHO)
    assert repository.current("production") == newer_release.id


def test_nothing_is_staged_that_was_judged_against_another_release(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    repository.publish(toy_release, "production")
    with pytest.raises(PublicationError, match=rf"names {toy_release.id} by now, .* judged against none: run the pipe"):
        repository.stage(newer_release, "staging", production="production", judged_against=None)


def test_nothing_waits_any_longer_once_a_release_is_live(
    repository: ReleaseRepository, toy_release: Release, newer_release: Release, groceries: Release
) -> None:
    repository.stage(toy_release, "staging", production="production", judged_against=None)
    repository.publish(newer_release, "production", None, staging="staging")
    assert repository.current("staging") is None
    (_, _, unstaged) = repository.history().records
    assert (unstaged.action, unstaged.previous) == ("unstage", toy_release.id)
    assert unstaged.why == f"release {newer_release.id} went live on channel production"
    repository.stage(groceries, "staging")
    repository.publish(toy_release, "production", staging="staging")
    assert repository.current("staging") == groceries.id, "it is of another use case"
    repository.publish(newer_release, "production", staging="production")
    assert repository.current("production") == newer_release.id
