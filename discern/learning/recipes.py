"""The two trainings of a pipeline: a teacher from labels, a student from labels and teacher."""

from __future__ import annotations

import numpy as np
import torch

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import PhotoSet, load_photos
from discern.errors import TrainingError
from discern.learning.batches import TURNS, Views
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig, TrainingConfig
from discern.learning.device import mixed_precision
from discern.learning.distributed.launch import launch
from discern.learning.loop import Log, TrainingResult, Validate, embed, train
from discern.learning.losses import DistillObjective, EmbeddedViews, MetricObjective, SameImages
from discern.learning.models import TorchEmbedder
from discern.progress import bar
from edge_runtime.core.images import Preprocessing

BLOCK = 1024  # views that the teacher embeds between two movements of the progress bar


def train_teacher(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    *,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train a model on the labels of the training split, in `config.processes` processes.

    Raises:
        TrainingError, ConfigError: as `train`, the losses and `launch`.
    """
    return launch(_train_teacher, config, version, preprocessing, config, log=log, checkpoint=checkpoint)


def _train_teacher(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    *,
    log: Log | None,
    checkpoint: Checkpoint | None,
) -> TrainingResult:
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
    teacher: TorchEmbedder,
    *,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train a light model to embed as the teacher does; `distil` says what the teacher sees.

    Raises:
        TrainingError: also where the two embeddings differ in length.
    """
    if teacher.config.embedding_dim != config.model.embedding_dim:
        raise TrainingError(
            f"The student's embedding_dim is {config.model.embedding_dim}, the teacher's "
            f"{teacher.config.embedding_dim}: make them equal, so that the student's embeddings fit the teacher's "
            "index."
        )
    arguments = (version, preprocessing, config, distil, teacher)
    return launch(_distil_student, config, *arguments, log=log, checkpoint=checkpoint)


def _distil_student(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    distil: DistillConfig,
    teacher: TorchEmbedder,
    *,
    log: Log | None,
    checkpoint: Checkpoint | None,
) -> TrainingResult:
    photos = load_photos(_training_split(version), preprocessing)
    views = Views.of(photos, config.symmetries)
    target = (
        SameImages(teacher, mixed_precision(config)) if distil.teacher_sees == "view" else embed_views(teacher, views)
    )
    objective = DistillObjective(target, distil, _metric_objective(photos, config))
    return train(
        config,
        photos,
        objective,
        name="student",
        log=log,
        validate=recall_validator(version, preprocessing),
        checkpoint=checkpoint,
    )


def embed_views(teacher: TorchEmbedder, views: Views) -> EmbeddedViews:
    """Ask the teacher once for every view, with progress."""
    blocks = np.array_split(np.arange(len(views)), max(1, len(views) // BLOCK))
    parts = [embed(teacher, views.pixels(block)) for block in bar(blocks, name="asking the teacher", unit="block")]
    return EmbeddedViews(torch.cat(parts))


def recall_validator(version: DatasetVersion, preprocessing: Preprocessing) -> Validate | None:
    """Recall@1 of the validation split's enrolled queries among its own gallery; None where it has none of either."""
    split = version.select(split="validation")
    gallery = split.select(role="gallery")
    queries = split.select(role="query", labels=set(gallery.column("label")))
    if len(gallery) == 0 or len(queries) == 0:
        return None
    gallery_photos = load_photos(gallery, preprocessing, "decoding validation gallery")
    query_photos = load_photos(queries, preprocessing, "decoding validation queries")

    def recall_at_1(model: TorchEmbedder) -> float:
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
    torch.manual_seed(config.seed)  # of proxies
    classes = len(set(photos.labels)) * TURNS[config.symmetries]
    return MetricObjective(config.loss, config.miner, classes, config.model.embedding_dim)
