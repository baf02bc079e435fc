"""Train the student, of a teacher or alone. Interrupted, it goes on from its last checkpoint in the artifact store."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.logger import get_logger

from discern.datasets.manifest import DatasetVersion
from discern.learning.checkpoints import Checkpoint, training_fingerprint
from discern.learning.config import DistillConfig, ImageConfig, TrainingConfig
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import check_preprocessing, distil_student, train_on_labels
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
    teacher: TorchEmbedder | None,
    image: ImageConfig,
    config: TrainingConfig,
    distillation: DistillConfig,
    weights: str,
) -> Annotated[TorchEmbedder, "student"]:
    """Train the student on the teacher's embeddings, or on the labels alone where there is no teacher.

    `weights` as in `teach`, `image` as the teacher was trained.
    """
    tracking.log_origin(dataset.id)
    tracking.log_config("student", config)
    preprocessing = image.preprocessing
    if teacher is not None:
        check_preprocessing(teacher, preprocessing)
        tracking.log_config("distillation", distillation)
    fingerprint = training_fingerprint(
        config,
        dataset.id,
        preprocessing,
        weights,
        code(),
        teacher="" if teacher is None else teacher.fingerprint(),
        distillation=None if teacher is None else distillation,
    )
    checkpoint = Checkpoint(storage_layout.checkpoint(fingerprint), fingerprint)
    log = tracking.logger("student")
    if teacher is None:
        result = train_on_labels(dataset, preprocessing, config, name="student", log=log, checkpoint=checkpoint)
    else:
        result = distil_student(dataset, config, distillation, teacher, log=log, checkpoint=checkpoint)
    logger.info("The student %s", tracking.log_result("student", result))
    checkpoint.remove()
    return result.model
