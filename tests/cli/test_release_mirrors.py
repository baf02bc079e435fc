"""`discern release check` repairs what differs from the channels; commands that change channels leave it nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from orchestration.mirrors import Standing, ZenMLStages
from tests.cli.calls import Caller
from tests.steps.promotion.conftest import USE_CASE, candidate, registry, repository, second

__all__ = ["candidate", "registry", "repository", "second"]

WHO = ["--by", "Ada", "--why", "a test"]


@pytest.mark.slow
@pytest.mark.usefixtures("registry")
def test_the_mirrors_follow_every_command_and_check_repairs_the_rest(
    repository: ReleaseRepository, candidate: Release, second: Release, call: Caller
) -> None:
    keys = ["--keys", repository.keys]
    repository.publish(candidate, "production")
    repository.stage(second, "staging")
    told = call("release", "check", "--dry-run", *keys).out.splitlines()
    assert (
        f"{USE_CASE}: ZenML: the stage production is no release, and the channel of production names {candidate.id}."
        in told
    )
    assert (
        f"{USE_CASE}: MLflow: the alias challenger is no release, and the channel of staging names {second.id}." in told
    )
    assert all(line.endswith(": repaired.") for line in call("release", "check", USE_CASE, *keys).out.splitlines())
    assert call("release", "check", *keys).out == f"{USE_CASE}: channels, ZenML and MLflow agree.\n"

    for command, expected in (
        (["approve", second.id], Standing(second.id)),
        (["rollback", candidate.id], Standing(candidate.id)),
        (["reject", second.id], Standing(candidate.id)),
    ):
        ended = call("release", *command, *WHO, *keys)
        assert (ended.status, ended.err) == (0, "")
        assert ZenMLStages(USE_CASE).read() == expected
        (agreement,) = call("release", "check", "--dry-run", "--json", *keys).result
        assert (agreement["differences"], agreement["problems"]) == ([], [])


def test_check_says_what_it_cannot_compare(
    repository: ReleaseRepository, candidate: Release, call: Caller, tmp_path: Path
) -> None:
    repository.publish(candidate, "production")
    told = call.refused("release", "check", "pils", "--keys", repository.keys)
    assert told.endswith(f"no release of the use case 'pils': known are {USE_CASE}.")
    other = ReleaseRepository(str(tmp_path / "releases"), tmp_path / "keys")
    other.initialise()
    elsewhere = ["--repository", other.url, "--keys", other.keys]
    assert "is not the repository of the active stack" in call.refused("release", "check", *elsewhere)
    other.publish(candidate, "staging")
    assert call("release", "approve", candidate.id, *WHO, *elsewhere).status == 0
    assert ZenMLStages(USE_CASE).read() == Standing(), "ZenML is of another repository"
