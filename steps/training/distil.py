"""Train the student. Interrupted, it goes on from its last checkpoint in the artifact store."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.logger import get_logger

from discern.datasets.manifest import DatasetVersion
from discern.learning.checkpoints import Checkpoint, training_fingerprint
from discern.learning.config import DistillConfig, ImageConfig, TrainingConfig
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import check_preprocessing, distil_student
from orchestration import storage_layout, tracking
from orchestration.caching import by_code, code_of
from orchestration.materializers import TorchEmbedderMaterializer

logger = get_logger(__name__)


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(
    experiment_tracker=True,
    cache_policy=by_code(code),
    output_materializers=TorchEmbedderMaterializer,
    on_failure=tracking.keep_reason,
)
def distil(
    dataset: DatasetVersion,
    teacher: TorchEmbedder,
    image: ImageConfig,
    config: TrainingConfig,
    distillation: DistillConfig,
    weights: str,
) -> Annotated[TorchEmbedder, "student"]:
    """Train the student on the teacher's embeddings; `weights` as in `teach`, `image` as the teacher was trained."""
    tracking.log_origin(dataset.id)
    check_preprocessing(teacher, image.preprocessing)
    tracking.log_config("student", config)
    tracking.log_config("distillation", distillation)
    fingerprint = training_fingerprint(
        config,
        dataset.id,
        teacher.preprocessing,
        weights,
        code(),
        teacher=teacher.fingerprint(),
        distillation=distillation,
    )
    checkpoint = Checkpoint(storage_layout.checkpoint(fingerprint), fingerprint)
    result = distil_student(
        dataset, config, distillation, teacher, log=tracking.logger("student"), checkpoint=checkpoint
    )
    logger.info("The student %s", tracking.log_result("student", result))
    checkpoint.remove()
    return result.model
