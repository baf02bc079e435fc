"""From a student to a release candidate: export, enrol, calibrate, measure, build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import mlflow
from zenml import get_step_context, step
from zenml.logger import get_logger

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.metrics import Metrics
from discern.learning.models import TorchEmbedder
from discern.releases.candidate import CandidateInputs, build_candidate
from discern.releases.config import PackagingConfig
from edge_runtime.core.release import Lineage, Release
from orchestration import tracking
from orchestration.caching import by_code, code_of
from orchestration.lineage import git_commit
from orchestration.materializers import ReleaseMaterializer
from orchestration.scratch import scratch_folder

logger = get_logger(__name__)


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(
    experiment_tracker=True,
    cache_policy=by_code(code),
    output_materializers={"release_candidate": ReleaseMaterializer},
    on_failure=tracking.keep_reason,
)
def assemble(
    dataset: DatasetVersion,
    student: TorchEmbedder,
    use_case: str,
    gallery: GalleryConfig,
    packaging: PackagingConfig,
) -> tuple[Annotated[Release, "release_candidate"], Annotated[Metrics, "test_metrics"]]:
    """Build the release candidate and measure it on the test split."""
    tracking.log_origin(dataset.id)
    lineage = Lineage(
        dataset_version=dataset.id,
        git_commit=git_commit(),
        pipeline_run=get_step_context().pipeline_run.name,
        mlflow_run=tracking.run_id(),
    )
    inputs = CandidateInputs(use_case, dataset, student, gallery, packaging, lineage)
    candidate = build_candidate(scratch_folder() / "release", inputs)
    release, metrics, choice = candidate.release, candidate.metrics, candidate.format_choice
    tracking.log_release(release)
    tracking.log_config("gallery", gallery)
    tracking.log_config("packaging", packaging)
    image = student.preprocessing
    mlflow.log_params({"image.size": image.size, "image.fit": image.fit, "numeric_format": choice.numeric_format})
    tracking.log_figures("test", metrics.distinct_figures())
    tracking.log_figures("validation", validation_figures(release.manifest.metrics))
    for measurement in choice.measurements:
        tracking.log_figures(f"numeric_format/{measurement.numeric_format}", measurement.distinct_figures())
    lines = [f"Release candidate {release.id}, {metrics.lines()[0]}", *metrics.lines()[1:], *choice.lines()]
    logger.info("\n".join([*lines, f"More of it: {tracking.address()}."]))
    return release, metrics


def validation_figures(stated: Mapping[str, float]) -> dict[str, float]:
    """Return the figures of the validation queries among those that a release states, by their own names."""
    prefix = "validation_"
    return {name.removeprefix(prefix): value for name, value in stated.items() if name.startswith(prefix)}
