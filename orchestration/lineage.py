"""Which code and which run made an artifact."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection
from typing import Any
from uuid import UUID

from zenml import get_step_context
from zenml.client import Client
from zenml.models import ArtifactVersionResponse

from orchestration.caching import REPOSITORY


def git_commit() -> str | None:
    """The commit of the working copy, with `+` where it has changes; in a container DISCERN_GIT_COMMIT, or None."""
    if told := os.environ.get("DISCERN_GIT_COMMIT"):
        return told
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.strip()


def load_input(version: str) -> Any:
    """Load an artifact by the id of its version; ZenML records it as an input of the running step.

    Args:
        version: the id; empty for none.

    Returns:
        The artifact, None for none.
    """
    return Client().get_artifact_version(UUID(version)).load() if version else None


def versions_of_run(names: Collection[str]) -> list[ArtifactVersionResponse]:
    """The artifact versions of these names that the current run's steps took in or gave out so far, cached ones too."""
    run = Client().get_pipeline_run(get_step_context().pipeline_run.id)
    places = [place for step in run.steps.values() for place in (step.inputs, step.outputs)]
    found = {version.id: version for place in places for versions in place.values() for version in versions}
    return [version for version in found.values() if version.artifact.name in names]


def producer_parameters(uri: str) -> dict[str, Any]:
    """Return the parameters of the step that made the artifact at `uri`; empty where ZenML knows no such step."""
    page = Client().list_artifact_versions(uri=uri)
    for version in page.items:
        if version.producer_step_run_id is not None:
            return dict(version.step.config.parameters)
    return {}
