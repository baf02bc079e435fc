"""From a student to a release candidate: export, enrol, calibrate, measure, build."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Annotated

import mlflow
from zenml import get_step_context, step
from zenml.logger import get_logger

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.metrics import Metrics
from discern.learning.models import TorchEmbedder
from discern.releases.candidate import CandidateInputs, PackagingConfig, build_candidate
from edge_runtime.core.release import Lineage, Release
from orchestration import tracking
from orchestration.caching import by_code, code_of
from orchestration.lineage import git_commit
from orchestration.materializers import ReleaseMaterializer

logger = get_logger(__name__)


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(
    experiment_tracker=True,
    cache_policy=by_code(code),
    output_materializers={"release_candidate": ReleaseMaterializer},
)
def assemble(
    dataset: DatasetVersion,
    student: TorchEmbedder,
    use_case: str,
    gallery: GalleryConfig,
    packaging: PackagingConfig,
) -> tuple[Annotated[Release, "release_candidate"], Annotated[Metrics, "test_metrics"]]:
    """Build the release candidate and measure it on the test split."""
    lineage = Lineage(
        dataset_version=dataset.id,
        git_commit=git_commit(),
        pipeline_run=get_step_context().pipeline_run.name,
        mlflow_run=tracking.run_id(),
    )
    inputs = CandidateInputs(use_case, dataset, student, gallery, packaging, lineage)
    temporary = Path(tempfile.mkdtemp(prefix="candidate-"))
    candidate = build_candidate(temporary / "release", inputs)
    release, metrics, choice = candidate.release, candidate.metrics, candidate.format_choice
    # ZenML stores what a step returns after the step: the folder goes when the release does.
    weakref.finalize(release, shutil.rmtree, temporary, ignore_errors=True)
    tracking.log_config("gallery", gallery)
    tracking.log_config("packaging", packaging)
    image = student.preprocessing
    mlflow.log_params({"image.size": image.size, "image.fit": image.fit})
    mlflow.log_params({"dataset_version": dataset.id, "numeric_format": choice.numeric_format})
    mlflow.log_metrics({f"test_{name}": value for name, value in metrics.figures().items()})
    stated = release.manifest.metrics
    mlflow.log_metrics({name: value for name, value in stated.items() if name.startswith("validation_")})
    mlflow.log_metrics({f"numeric_format_{name}": value for name, value in choice.figures().items()})
    logger.info("Ships as %s", choice.reason)
    logger.info("Release candidate %s: %s", release.id, metrics.summary())
    return release, metrics
