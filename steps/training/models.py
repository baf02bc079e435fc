"""Train the teacher, then the student. Interrupted, each goes on from its last checkpoint in the artifact store."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.datasets.manifest import DatasetVersion
from discern.learning.checkpoints import Checkpoint, fingerprint
from discern.learning.config import DistillConfig, ImageConfig, TrainingConfig
from discern.learning.models import EmbeddingModel
from discern.learning.recipes import distil_student, train_teacher
from orchestration import tracking, workspace
from orchestration.caching import code_hash, depends_on
from orchestration.materializers import EmbeddingModelMaterializer

CODE = depends_on("discern/learning", "discern/data", "discern/files.py", "edge_runtime/images.py")


@step(experiment_tracker=True, cache_policy=CODE, output_materializers=EmbeddingModelMaterializer)
def teach(
    dataset: DatasetVersion, image: ImageConfig, config: TrainingConfig, weights: str
) -> Annotated[EmbeddingModel, "teacher"]:
    """Train the teacher on the labels; `weights` is the hash of the file it starts from, there for the cache."""
    tracking.log_config("teacher", config)
    mark = fingerprint(config, "teacher", weights, code_hash(CODE), dataset.id, image.model_dump_json())
    checkpoint = Checkpoint(workspace.checkpoint(mark), mark)
    result = train_teacher(dataset, image.preprocessing, config, log=tracking.logger("teacher"), checkpoint=checkpoint)
    tracking.log_result("teacher", result)
    checkpoint.remove()
    return result.model


@step(experiment_tracker=True, cache_policy=CODE, output_materializers=EmbeddingModelMaterializer)
def distil(
    dataset: DatasetVersion,
    teacher: EmbeddingModel,
    image: ImageConfig,
    config: TrainingConfig,
    distillation: DistillConfig,
    weights: str,
) -> Annotated[EmbeddingModel, "student"]:
    """Train the student on the teacher's embeddings; `weights` as in `teach`."""
    tracking.log_config("student", config)
    tracking.log_config("distillation", distillation)
    teacher_hash = EmbeddingModelMaterializer("").compute_content_hash(teacher)
    parts = (
        distillation.model_dump_json(),
        weights,
        code_hash(CODE),
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
