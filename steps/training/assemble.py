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
from discern.releases.candidate import PackagingConfig, build_candidate
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
    candidate: PackagingConfig,
) -> tuple[Annotated[Release, "release_candidate"], Annotated[Metrics, "test_metrics"]]:
    """Build the release candidate and measure it on the test split."""
    lineage = Lineage(
        dataset_version=dataset.id,
        git_commit=git_commit(),
        pipeline_run=get_step_context().pipeline_run.name,
        mlflow_run=tracking.run_id(),
    )
    temporary = Path(tempfile.mkdtemp(prefix="candidate-"))
    release, metrics, choice = build_candidate(
        temporary / "release", use_case, dataset, student, gallery, candidate, lineage
    )
    # ZenML stores what a step returns after the step: the folder goes when the release does.
    weakref.finalize(release, shutil.rmtree, temporary, ignore_errors=True)
    validation = {name: value for name, value in release.manifest.metrics.items() if name.startswith("validation_")}
    mlflow.log_metrics({f"test_{name}": value for name, value in metrics.figures().items()} | validation)
    tracking.log_config("gallery", gallery)
    tracking.log_config("candidate", candidate)
    image = student.preprocessing
    mlflow.log_params({"image.size": image.size, "image.fit": image.fit})
    mlflow.log_params({"dataset_version": dataset.id, "precision": choice.precision})
    mlflow.log_metrics({f"precision_{name}": value for name, value in choice.figures().items()})
    logger.info("Ships as %s", choice.reason)
    logger.info("Release candidate %s: %s", release.id, ", ".join(f"{k} {v:.3g}" for k, v in metrics.figures().items()))
    return release, metrics
