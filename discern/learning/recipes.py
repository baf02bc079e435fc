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
from discern.learning.embedding import embed, train_embedder
from discern.learning.losses import DistillationLoss, EmbeddedViews, MetricLoss, SameImages
from discern.learning.models import TorchEmbedder
from discern.learning.monitor import Validate
from discern.learning.ports import Log
from discern.learning.trainer import TrainingResult
from discern.progress import bar
from edge_runtime.core.images import Preprocessing

BLOCK = 1024  # views that the teacher embeds between two updates of the progress bar


def train_teacher(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    *,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult[TorchEmbedder]:
    """Train a model on the labels of the training split, in `config.processes` processes.

    Raises:
        TrainingError, ConfigError: as `train_embedder`, the losses and `launch`.
    """
    return launch(_train_teacher, config, version, preprocessing, config, log=log, checkpoint=checkpoint)


def _train_teacher(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    *,
    log: Log | None,
    checkpoint: Checkpoint | None,
) -> TrainingResult[TorchEmbedder]:
    photos = load_photos(_training_split(version), preprocessing)
    return train_embedder(
        config,
        preprocessing,
        photos,
        _metric_loss(photos, config),
        name="teacher",
        log=log,
        validate=recall_validator(version, preprocessing),
        checkpoint=checkpoint,
    )


def distil_student(
    version: DatasetVersion,
    config: TrainingConfig,
    distil: DistillConfig,
    teacher: TorchEmbedder,
    *,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult[TorchEmbedder]:
    """Train a light model to embed as the teacher does, with the teacher's preprocessing.

    Raises:
        TrainingError: also where the two embeddings differ in length.
    """
    if teacher.config.embedding_dim != config.model.embedding_dim:
        raise TrainingError(
            f"The student's embedding_dim is {config.model.embedding_dim}, the teacher's "
            f"{teacher.config.embedding_dim}: make them equal, so that the student's embeddings fit the teacher's "
            "index."
        )
    return launch(_distil_student, config, version, config, distil, teacher, log=log, checkpoint=checkpoint)


def _distil_student(
    version: DatasetVersion,
    config: TrainingConfig,
    distil: DistillConfig,
    teacher: TorchEmbedder,
    *,
    log: Log | None,
    checkpoint: Checkpoint | None,
) -> TrainingResult[TorchEmbedder]:
    preprocessing = teacher.preprocessing
    photos = load_photos(_training_split(version), preprocessing)
    target: EmbeddedViews | SameImages
    if distil.teacher_sees == "view":
        target = SameImages(teacher, mixed_precision(config))
    else:
        target = embed_views(teacher, Views.of(photos, config.symmetries))
    return train_embedder(
        config,
        preprocessing,
        photos,
        DistillationLoss(target, distil, _metric_loss(photos, config)),
        name="student",
        log=log,
        validate=recall_validator(version, preprocessing),
        checkpoint=checkpoint,
    )


def check_preprocessing(teacher: TorchEmbedder, wanted: Preprocessing) -> None:
    """Refuse a teacher of other photos than the training's `image` says; a student takes its teacher's.

    Raises:
        TrainingError: they differ.
    """
    if teacher.preprocessing != wanted:
        actual = teacher.preprocessing
        raise TrainingError(
            f"The teacher was trained on photos of {{size: {actual.size}, fit: {actual.fit}}}, and `image` is "
            f"{{size: {wanted.size}, fit: {wanted.fit}}}: set `image` to the teacher's, or train another teacher."
        )


def embed_views(teacher: TorchEmbedder, views: Views) -> EmbeddedViews:
    """Let the teacher embed every view once, with progress."""
    blocks = np.array_split(np.arange(len(views)), max(1, len(views) // BLOCK))
    parts = [
        embed(teacher, views.pixels(block)) for block in bar(blocks, name="embedding by the teacher", unit="block")
    ]
    return EmbeddedViews(torch.cat(parts))


def recall_validator(version: DatasetVersion, preprocessing: Preprocessing) -> Validate | None:
    """Return the measure of recall@1 of the validation split's enrolled queries in its own gallery.

    None where the split has no gallery or no such query.
    """
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


def _metric_loss(photos: PhotoSet, config: TrainingConfig) -> MetricLoss:
    torch.manual_seed(config.seed)  # of proxies
    classes = len(set(photos.labels)) * TURNS[config.symmetries]
    return MetricLoss(config.loss, config.miner, classes, config.model.embedding_dim)
