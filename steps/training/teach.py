"""Train the teacher. Interrupted, it goes on from its last checkpoint in the artifact store."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.logger import get_logger

from discern.datasets.manifest import DatasetVersion
from discern.learning.checkpoints import Checkpoint, training_fingerprint
from discern.learning.config import ImageConfig, TrainingConfig
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import train_on_labels
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
def teach(
    dataset: DatasetVersion, image: ImageConfig, config: TrainingConfig, weights: str
) -> Annotated[TorchEmbedder, "teacher"]:
    """Train the teacher on the labels; `weights` is the hash of the file it starts from, there for the cache."""
    tracking.log_origin(dataset.id)
    tracking.log_config("teacher", config)
    preprocessing = image.preprocessing
    fingerprint = training_fingerprint(config, dataset.id, preprocessing, weights, code())
    checkpoint = Checkpoint(storage_layout.checkpoint(fingerprint), fingerprint)
    result = train_on_labels(dataset, preprocessing, config, log=tracking.logger("teacher"), checkpoint=checkpoint)
    logger.info("The teacher %s", tracking.log_result("teacher", result))
    checkpoint.remove()
    return result.model
