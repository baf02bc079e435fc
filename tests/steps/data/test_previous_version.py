"""The data pipeline finds in a step what the new version grows from; the rule is in orchestration.artifact_lookup."""

from __future__ import annotations

import pytest

from orchestration.artifact_lookup import plain
from steps.data.previous_version import previous_version
from tests.orchestration.toy_pipelines import artifact, run_data

pytestmark = pytest.mark.usefixtures("local_stack")
PARAMETERS = plain({"source": {}, "splits": {}})


def test_previous_version_is_empty_where_nothing_was_ingested() -> None:
    assert previous_version.entrypoint("never-run", "f", PARAMETERS) == ""


def test_previous_version_is_the_id_of_the_newest_artifact() -> None:
    version = artifact(run_data("previous"), "ingest", "ingested")
    assert previous_version.entrypoint("previous", "f", PARAMETERS) == str(version.id)


def test_previous_version_never_comes_from_the_cache() -> None:
    assert previous_version.configuration.enable_cache is False
