"""The list of use cases; that of one's versions is in tests/e2e/test_versions.py."""

from __future__ import annotations

import pytest

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from tests.cli.calls import Caller
from tests.orchestration.toy_pipelines import run_data

pytestmark = pytest.mark.usefixtures("local_stack")


def test_use_cases_are_listed_with_their_newest_version_and_release(call: Caller, toy_release: Release) -> None:
    from orchestration import storage_layout

    use_case = toy_release.manifest.name
    run_data(use_case, now="first")
    run_data(use_case, now="second", passes=False)
    run_data("unreleased")
    repository = ReleaseRepository(storage_layout.releases(), storage_layout.keys())
    repository.initialise()
    repository.publish(toy_release, "staging")
    told = {facts["use_case"]: facts for facts in call("data", "list", "--json").result}
    assert told[use_case]["release"] == toy_release.id
    assert told[use_case]["versions"] == 2
    assert not told[use_case]["passed"]
    assert told["unreleased"]["release"] is None
    header, *rows = call("data", "list").out.splitlines()
    assert header.split("  ")[0] == "use case"
    row = next(line for line in rows if line.startswith(f"{use_case} "))
    assert told[use_case]["version"] in row
    assert row.endswith(toy_release.id)


def test_a_use_case_that_is_not_there_is_suggested(call: Caller) -> None:
    run_data("washers")
    assert "did you mean 'washers'?" in call.refused("data", "list", "washrs")
