"""The ways to an embedder: a teacher from labels, a student from its teacher, and a head on weights as they are.

A student learns from labels too where `distillation` gives its own loss a weight (`metric`).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import TrainingError
from discern.learning.batches import TURNS, Views
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig, ModelConfig, TrainingConfig
from discern.learning.device import mixed_precision
from discern.learning.distributed.launch import launch
from discern.learning.embedding import check_input, embed, extract_features, train_embedder
from discern.learning.fitted_head import fit_head
from discern.learning.losses import DistillationLoss, EmbeddedViews, MetricLoss, SameImages
from discern.learning.models import TorchEmbedder, memory_format
from discern.learning.monitor import Validate
from discern.learning.ports import Log
from discern.learning.trainer import TrainingResult
from discern.progress import bar
from edge_runtime.core.images import Preprocessing

BLOCK = 1024  # views that the teacher embeds between two updates of the progress bar


def train_on_labels(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    *,
    name: str = "teacher",
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult[TorchEmbedder]:
    """Train a model on the labels of the training split, in `config.processes` processes.

    `name` is what the progress calls it.

    Raises:
        TrainingError, ConfigError: as `train_embedder`, the losses and `launch`.
    """
    return launch(_train_on_labels, config, version, preprocessing, config, name, log=log, checkpoint=checkpoint)


def _train_on_labels(
    version: DatasetVersion,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    name: str,
    *,
    log: Log | None,
    checkpoint: Checkpoint | None,
) -> TrainingResult[TorchEmbedder]:
    photos = load_photos(training_split(version), preprocessing)
    return train_embedder(
        config,
        preprocessing,
        photos,
        _metric_loss(photos.labels, config),
        name=name,
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
    check_dims(teacher.config, config.model)
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
    photos = load_photos(training_split(version), preprocessing)
    target: EmbeddedViews | SameImages
    if distil.teacher_sees == "view":
        target = SameImages(teacher, mixed_precision(config, teacher))
    else:
        target = embed_views(teacher, Views.of(photos, config.symmetries))
    return train_embedder(
        config,
        preprocessing,
        photos,
        DistillationLoss(target, distil, _metric_loss(photos.labels, config)),
        name="student",
        log=log,
        validate=recall_validator(version, preprocessing),
        checkpoint=checkpoint,
    )


def untrained_embedder(photos: DatasetVersion, preprocessing: Preprocessing, config: ModelConfig) -> TorchEmbedder:
    """Return a model of weights as they are; where they bring no head, it is fitted to `photos`.

    Args:
        photos: with their labels; one at least.
        preprocessing: of the model.
        config: names weights.

    Raises:
        TrainingError: the model cannot be built, or not embed photos of this size.
    """
    model = TorchEmbedder(config, preprocessing).to(memory_format=memory_format(config)).eval()
    check_head(model)
    check_input(model)
    if model.has_head:
        return model
    loaded = load_photos(photos, preprocessing)
    ids, _ = loaded.class_ids()
    weight, bias = fit_head(extract_features(model, loaded.pixels).numpy(), ids, config.embedding_dim)
    model.head.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    return model


def check_dims(teacher: ModelConfig, student: ModelConfig) -> None:
    """Refuse a student whose embeddings have another length than its teacher's.

    Raises:
        TrainingError: they have.
    """
    if teacher.embedding_dim != student.embedding_dim:
        raise TrainingError(
            f"The student's embedding_dim is {student.embedding_dim}, the teacher's {teacher.embedding_dim}: make "
            "them equal, so that the student's embeddings fit the teacher's index."
        )


def check_head(model: TorchEmbedder) -> None:
    """Refuse a head that is to be fitted with more directions than the backbone has features.

    Raises:
        TrainingError: it has.
    """
    if not model.has_head and model.head.out_features > model.head.in_features:
        raise TrainingError(
            f"`embedding_dim: {model.head.out_features}` is more than the {model.head.in_features} features of "
            f"{model.config.backbone}, which a head without training can only choose from: lower it."
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
    gallery, queries = validation_photos(version)
    if len(queries) == 0:
        return None
    gallery_photos = load_photos(gallery, preprocessing, "decoding validation gallery")
    query_photos = load_photos(queries, preprocessing, "decoding validation queries")

    def recall_at_1(model: TorchEmbedder) -> float:
        similarity = embed(model, query_photos.pixels) @ embed(model, gallery_photos.pixels).T
        nearest = similarity.argmax(1).numpy()
        hits = np.array(gallery_photos.labels)[nearest] == np.array(query_photos.labels)
        return float(hits.mean())

    return recall_at_1


def validation_photos(version: DatasetVersion) -> tuple[DatasetVersion, DatasetVersion]:
    """Return the gallery of the validation split, and the queries of its classes."""
    split = version.select(split="validation")
    gallery = split.select(role="gallery")
    return gallery, split.select(role="query", labels=set(gallery.column("label")))


def training_split(version: DatasetVersion) -> DatasetVersion:
    """Return the photos that train.

    Raises:
        TrainingError: there is none.
    """
    split = version.select(split="train")
    if len(split) == 0:
        raise TrainingError(f"The dataset version {version.id} has no training photos: check its splits.")
    return split


def _metric_loss(labels: Collection[str], config: TrainingConfig) -> MetricLoss:
    torch.manual_seed(config.seed)  # of proxies
    classes = len(set(labels)) * TURNS[config.symmetries]
    return MetricLoss(config.loss, config.miner, classes, config.model.embedding_dim)
