"""`python -m benchmarks.training_throughput`: photos a second of the training loop, and its share of waiting for data.

Waiting is what drawing, turning, copying and changing a batch takes, before the model sees it. Photos lie decoded in
memory, as in every training here. In float32 and, where the processor multiplies it, in bfloat16.
"""

from __future__ import annotations

import numpy as np

from benchmarks.learning import keep, options, read_recipe
from discern.datasets.photo_set import PhotoSet
from discern.learning.config import TrainingConfig
from discern.learning.device import mixed_precision
from discern.learning.loop import TrainingResult, train
from discern.learning.losses import MetricObjective
from discern.sources.pills import PillsConfig, PillSource
from edge_runtime.core.images import Preprocessing, decode

COMMAND = "python -m benchmarks.training_throughput"
FAMILIES, PHOTOS = 60, 6
STEPS = 40
USE_CASES = ("pills", "pills_lookalike")


def main() -> None:
    """Train the models of two use cases for a few steps each."""
    chosen = options(__doc__)
    steps = chosen.steps or STEPS
    figures: dict[str, float | int | None] = {}
    for use_case in USE_CASES:
        recipe = read_recipe(use_case)
        photos = _photos(recipe.image.preprocessing)
        for part, config in (("teacher", recipe.teacher), ("student", recipe.student)):
            for short in dict.fromkeys(("no", mixed_precision(config))):
                name = f"{use_case}_{part}_{'float32' if short == 'no' else short}"
                found = _timed(config.model_copy(update={"mixed_precision": short, "steps": steps}), photos, name)
                figures |= {f"{name}_photos_per_second": found.photos_per_second, f"{name}_waiting": found.waiting}
    keep("training_throughput", figures, COMMAND, chosen)


def _photos(preprocessing: Preprocessing) -> PhotoSet:
    source = PillSource(PillsConfig(families=FAMILIES, photos_per_class=PHOTOS))
    photos = list(source.photos())
    pixels = np.stack([preprocessing.apply(decode(photo.load(), photo.name)) for photo in photos])
    return PhotoSet(pixels, tuple(str(photo.label) for photo in photos))


def _timed(config: TrainingConfig, photos: PhotoSet, name: str) -> TrainingResult:
    """A training whose first steps, which reserve memory, are not counted."""
    objective = MetricObjective(config.loss, config.miner, FAMILIES, config.model.embedding_dim)
    train(config.model_copy(update={"steps": 3}), photos, objective, name="warming up")
    return train(config, photos, objective, name=name)


if __name__ == "__main__":
    main()
