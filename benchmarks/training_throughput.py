"""`python -m benchmarks.training_throughput`: photos a second of the training loop, and its share of waiting for data.

Waiting is what drawing, turning, copying and changing a batch takes, before the model sees it. Photos lie decoded in
memory, as in every training here. In float32 and, where the processor multiplies it, in bfloat16.
"""

from __future__ import annotations

import numpy as np

from benchmarks.learning import LearningParser, keep, read_recipe
from discern.datasets.photo_set import PhotoSet
from discern.learning.config import TrainingConfig
from discern.learning.device import mixed_precision
from discern.learning.embedding import train_embedder
from discern.learning.losses import MetricLoss
from discern.learning.models import TorchEmbedder
from discern.learning.trainer import TrainingResult
from discern.sources.pills import PillsConfig, PillSource
from edge_runtime.core.images import Preprocessing, decode

FAMILIES, PHOTOS = 60, 6
STEPS = 40
USE_CASES = ("pills", "pills_lookalike")


def main() -> None:
    """Train the models of two use cases for a few steps each."""
    run = LearningParser("training_throughput", __doc__, use_cases=USE_CASES).start()
    steps = run.options.steps or STEPS
    figures: dict[str, float | int | None] = {}
    for use_case in USE_CASES:
        recipe = read_recipe(use_case)
        preprocessing = recipe.image.preprocessing
        photos = _photos(preprocessing)
        for part, config in recipe.trainings.items():
            for short in dict.fromkeys(("no", mixed_precision(config))):
                name = f"{use_case}_{part}_{'float32' if short == 'no' else short}"
                timed = config.model_copy(update={"mixed_precision": short, "steps": steps})
                result = _train_timed(timed, preprocessing, photos, name)
                figures |= {f"{name}_photos_per_second": result.photos_per_second, f"{name}_waiting": result.waiting}
    keep(run, figures)


def _photos(preprocessing: Preprocessing) -> PhotoSet:
    source = PillSource(PillsConfig(families=FAMILIES, photos_per_class=PHOTOS))
    photos = list(source.photos())
    pixels = np.stack([preprocessing.apply(decode(photo.load(), photo.name)) for photo in photos])
    return PhotoSet(pixels, tuple(str(photo.label) for photo in photos))


def _train_timed(
    config: TrainingConfig, preprocessing: Preprocessing, photos: PhotoSet, name: str
) -> TrainingResult[TorchEmbedder]:
    """Train, without counting the first steps, which reserve memory."""
    loss = MetricLoss(config.loss, config.miner, FAMILIES, config.model.embedding_dim)
    train_embedder(config.model_copy(update={"steps": 3}), preprocessing, photos, loss, name="warming up")
    return train_embedder(config, preprocessing, photos, loss, name=name)


if __name__ == "__main__":
    main()
