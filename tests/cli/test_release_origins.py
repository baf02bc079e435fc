"""`discern release diff|lineage|rebuild` tell what a release is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from tests.cli.calls import Caller

WHO = ["--by", "Ada", "--why", "a test"]


@pytest.fixture
def options(tmp_path: Path, toy_release: Release, newer_release: Release) -> list[str]:
    """Of a repository with two releases."""
    repository = ReleaseRepository(str(tmp_path / "releases"), tmp_path / "keys")
    repository.initialise()
    repository.publish(toy_release, "staging", why="better on accuracy", decision="0123")
    repository.publish(newer_release, "newer")
    return ["--repository", repository.url, "--keys", repository.keys]


def test_diff_tells_classes_and_what_is_fetched(
    options: list[str], call: Caller, toy_release: Release, newer_release: Release
) -> None:
    told = call("release", "diff", toy_release.id, newer_release.id, *options).out
    assert told.startswith(f"{toy_release.id} -> {newer_release.id}:\n")
    for line in ("classes       5 -> 6", "added         orange", "retired       none", "model         the same"):
        assert f"  {line}\n" in told
    found = call("release", "diff", "--json", toy_release.id, newer_release.id, *options).result
    assert (found["added"], found["other_photos"]) == (["orange"], [])
    assert "catalogue.json" in found["fetched"]
    assert "is not in" in call.refused("release", "diff", toy_release.id, "0" * 16, *options)


def test_lineage_tells_origin_and_decisions(options: list[str], call: Caller, toy_release: Release) -> None:
    call("release", "approve", toy_release.id, "--channel", "production", *WHO, *options)
    told = call("release", "lineage", toy_release.id, *options).out
    assert told.startswith(f"Release {toy_release.id} of squares:\n")
    assert "  dataset_version  0123456789abcdef\n" in told
    assert f"publish {toy_release.id} on staging after decision 0123: better on accuracy\n" in told
    assert f"approve {toy_release.id} on production by Ada: a test\n" in told
    (origin,) = call("release", "lineage", "--json", toy_release.id, *options).result
    assert [record["action"] for record in origin["decisions"]] == ["publish", "approve"]


@pytest.mark.usefixtures("local_stack")
def test_rebuild_says_what_it_lacks(options: list[str], call: Caller, toy_release: Release) -> None:
    told = call.refused("release", "rebuild", toy_release.id, *options)
    assert "'0123456789abcdef' is neither a dataset version nor a use case" in told
