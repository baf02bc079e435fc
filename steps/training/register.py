"""Enter the candidate into the Model Control Plane."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.client import Client
from zenml.model.utils import link_artifact_version_to_model_version

from discern.evaluation.metrics import Metrics
from edge_runtime.core.release import Release
from orchestration.lineage import versions_of_run
from orchestration.mirrors import enter_release

LINKED = ("teacher", "student", "release_candidate", "test_metrics")


@step
def register(candidate: Release, metrics: Metrics, use_case: str) -> Annotated[str, "model_version"]:
    """Make a model version named after the release and link what it was made from.

    A step of its own, and cached: ZenML's `model:` setting would make a new, empty version at every run in which
    nothing changed.
    """
    enter_release(use_case, candidate.id, metrics.summary())
    version = Client().get_model_version(use_case, candidate.id)
    for artifact in versions_of_run(LINKED):
        link_artifact_version_to_model_version(artifact, version)
    return candidate.id
