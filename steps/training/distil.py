"""Train the student. Interrupted, it goes on from its last checkpoint in the artifact store."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.datasets.manifest import DatasetVersion
from discern.learning.checkpoints import Checkpoint, fingerprint
from discern.learning.config import DistillConfig, ImageConfig, TrainingConfig
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import distil_student
from orchestration import tracking, workspace
from orchestration.caching import by_code, code_of
from orchestration.materializers import TorchEmbedderMaterializer


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(experiment_tracker=True, cache_policy=by_code(code), output_materializers=TorchEmbedderMaterializer)
def distil(
    dataset: DatasetVersion,
    teacher: TorchEmbedder,
    image: ImageConfig,
    config: TrainingConfig,
    distillation: DistillConfig,
    weights: str,
) -> Annotated[TorchEmbedder, "student"]:
    """Train the student on the teacher's embeddings; `weights` as in `teach`."""
    tracking.log_config("student", config)
    tracking.log_config("distillation", distillation)
    teacher_hash = TorchEmbedderMaterializer("").compute_content_hash(teacher)
    parts = (
        distillation.model_dump_json(),
        weights,
        code(),
        dataset.id,
        image.model_dump_json(),
        teacher_hash,
    )
    mark = fingerprint(config, *parts)
    checkpoint = Checkpoint(workspace.checkpoint(mark), mark)
    result = distil_student(
        dataset,
        image.preprocessing,
        config,
        distillation,
        teacher,
        log=tracking.logger("student"),
        checkpoint=checkpoint,
    )
    tracking.log_result("student", result)
    checkpoint.remove()
    return result.model
