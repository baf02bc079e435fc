"""The two trainings of a pipeline: a teacher from labels, a student from labels and teacher."""

from __future__ import annotations

import numpy as np

from discern.data.versions import DatasetVersion
from discern.errors import TrainingError
from discern.learning.batches import PhotoSet, load_photos
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig, TrainingConfig
from discern.learning.losses import DistillObjective, MetricObjective
from discern.learning.models import EmbeddingModel
from discern.learning.training import Log, TrainingResult, Validate, embed, train
from edge_runtime.images import Preprocessing


def train_teacher(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    *,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train a model on the labels of the training split.

    Raises:
        TrainingError, ConfigError: as `train` and the losses.
    """
    photos = load_photos(_training_split(version), preprocessing)
    return train(
        config,
        photos,
        _metric_objective(photos, config),
        name="teacher",
        log=log,
        validate=recall_validator(version, preprocessing),
        checkpoint=checkpoint,
    )


def distil_student(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    distil: DistillConfig,
    teacher: EmbeddingModel,
    *,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train a light model to embed as the teacher does; the teacher sees each photo once.

    Raises:
        TrainingError: also where the two embeddings differ in length.
    """
    if teacher.config.embedding_dim != config.model.embedding_dim:
        raise TrainingError(
            f"The student's embedding_dim is {config.model.embedding_dim}, the teacher's "
            f"{teacher.config.embedding_dim}: make them equal, so that the student's embeddings fit the teacher's "
            "index."
        )
    photos = load_photos(_training_split(version), preprocessing)
    objective = DistillObjective(embed(teacher, photos.pixels), distil, _metric_objective(photos, config))
    return train(
        config,
        photos,
        objective,
        name="student",
        log=log,
        validate=recall_validator(version, preprocessing),
        checkpoint=checkpoint,
    )


def recall_validator(version: DatasetVersion, preprocessing: Preprocessing) -> Validate | None:
    """Recall@1 of the validation split's enrolled queries among its own gallery; None where it has none of either."""
    split = version.select(split="validation")
    gallery = split.select(role="gallery")
    queries = split.select(role="query", labels=set(gallery.column("label")))
    if len(gallery) == 0 or len(queries) == 0:
        return None
    gallery_photos = load_photos(gallery, preprocessing, "decoding validation gallery")
    query_photos = load_photos(queries, preprocessing, "decoding validation queries")

    def recall_at_1(model: EmbeddingModel) -> float:
        similarity = embed(model, query_photos.pixels) @ embed(model, gallery_photos.pixels).T
        nearest = similarity.argmax(1).numpy()
        hits = np.array(gallery_photos.labels)[nearest] == np.array(query_photos.labels)
        return float(hits.mean())

    return recall_at_1


def _training_split(version: DatasetVersion) -> DatasetVersion:
    split = version.select(split="train")
    if len(split) == 0:
        raise TrainingError(f"The dataset version {version.id} has no training photos: check its splits.")
    return split


def _metric_objective(photos: PhotoSet, config: TrainingConfig) -> MetricObjective:
    return MetricObjective(config.loss, config.miner, len(set(photos.labels)), config.model.embedding_dim)
