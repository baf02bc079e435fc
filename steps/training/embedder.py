"""Make the embedder of a release without training: weights as they are, and a head in closed form."""

from __future__ import annotations

from typing import Annotated

import mlflow
from zenml import step
from zenml.logger import get_logger

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig, gallery_rows
from discern.learning.config import EmbedderConfig, ImageConfig
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import untrained_embedder
from discern.words import counted
from orchestration import tracking
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
def embedder(
    dataset: DatasetVersion,
    image: ImageConfig,
    config: EmbedderConfig,
    gallery: GalleryConfig,
    weights: str,
) -> Annotated[TorchEmbedder, "student"]:
    """Make the embedder; a head that its weights lack is fitted to the training split, else to the enrolled photos.

    `weights` is the hash of the file that `config` names, empty where it names none.
    """
    tracking.log_origin(dataset.id)
    tracking.log_config("student", config)
    mlflow.log_param("student.weights_sha256", weights)
    photos = photos_to_fit(dataset, gallery)
    model = untrained_embedder(photos, image.preprocessing, config.model)
    fitted_to = f"{counted(len(photos), 'photo')} of {counted(len(photos.labels), 'class')}"
    logger.info(
        "Nothing is trained: %s embeds as its weights are, and its head is %s.",
        config.model.backbone,
        "theirs" if model.has_head else f"fitted to {fitted_to}",
    )
    return model


def photos_to_fit(dataset: DatasetVersion, gallery: GalleryConfig) -> DatasetVersion:
    """Return the photos that a head is fitted to: the training split, or the enrolled ones where it is empty."""
    training = dataset.select(split="train")
    return training if len(training) else dataset.take(gallery_rows(dataset, gallery))
