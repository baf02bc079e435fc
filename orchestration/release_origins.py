"""What the active stack still knows of the runs and the dataset version that a release came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zenml.client import Client

from discern.errors import ConfigError
from edge_runtime.core.release import ReleaseManifest
from orchestration.version_names import CHECKED, find


@dataclass(frozen=True)
class Origin:
    """What is known; None where the stack does not know it any more.

    Attributes:
        dataset: name of the dataset version, USE_CASE@N.
        run: id of the ZenML run.
        status: how it ended.
        config: the run's parameters, with what its config left out.
    """

    dataset: str | None = None
    run: str | None = None
    status: str | None = None
    config: dict[str, Any] | None = None


def origin_of(manifest: ReleaseManifest) -> Origin:
    """Look up where a release came from."""
    name = manifest.lineage.pipeline_run
    runs = Client().list_pipeline_runs(name=name, hydrate=True).items if name else []
    dataset = _name_of(manifest.lineage.dataset_version, manifest.name)
    if not runs:
        return Origin(dataset)
    return Origin(dataset, str(runs[0].id), runs[0].status.value, runs[0].config.parameters)


def _name_of(version: str | None, use_case: str) -> str | None:
    if version is None:
        return None
    try:
        artifact = find(version)
    except ConfigError:
        return None
    return f"{use_case}@{artifact.version}" if artifact.artifact.name == CHECKED else None
