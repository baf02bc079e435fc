"""The choice of how a model is learnt from some photos. Pure: facts in, settings out.

Rules kept:
- few photos, or one class, train nothing: what a net learnt from ImageNet tells more apart than what it learns of them;
- photos in colour start from ImageNet's weights, grey pictures and drawings from scratch;
- what is proposed runs: batches are no larger than the classes that train;
- a training takes minutes on the machine whose speed was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Literal

from discern.learning.config import AugmentConfig, DistillConfig, ImageConfig, ModelConfig, TrainingConfig
from discern.use_cases.summary import PhotoSetSummary, SplitCounts

Way = Literal["untrained", "from weights", "from scratch"]

# Of 12 groceries, of whose 90 photos 6 classes trained from scratch, recall@1 was .29.
FEW_PHOTOS = 400  # that train, below which nothing is trained
SIDES = (32, 96)  # pixels, of the input of a model from scratch; multiples of 16
WEIGHTS_SIDE = 128  # pixels, of the input of EfficientNet-Lite0, where it learns
# Where it only embeds. Of 13 groceries a rule for a FPIR of .05 named .28 at 128 pixels, .59 at 160, .63 at 192, .73 at
# 224, as means over three splits; recall@1 was .83 at each.
UNTRAINED_SIDE = 224
BATCH = 64  # photos of a training step, at most
TRAINING_SECONDS = 300.0  # of each of the two trainings, about
STEPS = (150, 600)  # of a training

# EfficientNet-Lite0 learns and embeds 37 photos a second of 128 pixels on two cores, in float32.
WITH_WEIGHTS = ModelConfig(backbone="tf_efficientnet_lite0", weights="package:efficientnet_lite0", embedding_dim=256)
TEACHER = ModelConfig(backbone="resnet18d")
# A ResNet-10 at half its width: small enough for a device, and it learns in minutes.
STUDENT = ModelConfig(backbone="resnet10t", options={"channels": [32, 64, 128, 256], "stem_width": 16})
DISTILLATION = DistillConfig(teacher_sees="view")
WEIGHTS_RATE, TEACHER_RATE, STUDENT_RATE = 5e-4, 2e-3, 3e-3  # learning rates
# Photos from the hand: a little turned and shifted. Mirrored they are another thing where they bear text.
AUGMENT = AugmentConfig(rotation=30, scale=0.25, shift=0.1)


@dataclass(frozen=True)
class BatchShape:
    """The photos of one training step."""

    classes: int
    photos: int


@dataclass(frozen=True)
class Recipe:
    """How a model is learnt.

    Attributes:
        way: in a word.
        image: the model's input.
        model: the model that ships.
        teacher: the training of a teacher; None where there is none.
        student: the training of the model that ships; None where nothing is trained.
    """

    way: Way
    image: ImageConfig
    model: ModelConfig
    teacher: TrainingConfig | None = None
    student: TrainingConfig | None = None


def way_of(summary: PhotoSetSummary) -> Way:
    """Return the way that suits the photos."""
    train = summary.split.train
    if len(train) < 2 or sum(train) < FEW_PHOTOS:
        return "untrained"
    return "from weights" if summary.kind == "photos" else "from scratch"


def recipe_for(summary: PhotoSetSummary, seconds_per_step: tuple[float, float] | None = None) -> Recipe:
    """Return how a model is learnt from the photos.

    Args:
        summary: facts about them.
        seconds_per_step: of the teacher and the student; None for one step each, which a probe changes. Where there is
            no teacher, the student has the time of both.
    """
    way, shape = way_of(summary), batch_shape(summary.split)
    if way == "untrained":
        return Recipe(way, ImageConfig(size=UNTRAINED_SIDE), WITH_WEIGHTS)
    if way == "from weights":
        # So light a net needs no teacher: it learns from the labels as long as both would have taken.
        alone = 1 if seconds_per_step is None else steps_within(seconds_per_step[1] / 2)
        student = training(WITH_WEIGHTS, shape, alone, WEIGHTS_RATE)
        return Recipe(way, ImageConfig(size=WEIGHTS_SIDE), WITH_WEIGHTS, student=student)
    steps = (1, 1) if seconds_per_step is None else tuple(map(steps_within, seconds_per_step))
    return Recipe(
        way,
        image_size(summary.median_short_side),
        STUDENT,
        training(TEACHER, shape, steps[0], TEACHER_RATE),
        training(STUDENT, shape, steps[1], STUDENT_RATE),
    )


def image_size(median_short_side: int) -> ImageConfig:
    """Return the input that shows the median photo without enlarging it, within `SIDES`."""
    smallest, largest = SIDES
    size = median_short_side // 16 * 16
    return ImageConfig(size=max(smallest, min(largest, size)))


def batch_shape(counts: SplitCounts) -> BatchShape:
    """Return a batch of no more classes than train, and of no more photos of each than half the classes have."""
    classes = min(len(counts.train), 16)
    photos = min(int(median(counts.train)), max(4, BATCH // classes), 8)
    return BatchShape(max(2, classes), max(2, photos))


def steps_within(seconds_per_step: float) -> int:
    """Return the steps of a training of about `TRAINING_SECONDS`, in tens, within `STEPS`."""
    fewest, most = STEPS
    steps = int(TRAINING_SECONDS / max(seconds_per_step, 1e-6)) // 10 * 10
    return max(fewest, min(most, steps))


def training(model: ModelConfig, shape: BatchShape, steps: int, learning_rate: float) -> TrainingConfig:
    """Return the settings of one training."""
    return TrainingConfig(
        model=model,
        steps=steps,
        learning_rate=learning_rate,
        classes_per_batch=shape.classes,
        photos_per_class=shape.photos,
        augment=AUGMENT,
    )
