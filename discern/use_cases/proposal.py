"""From facts about photos to the settings of three pipelines. Pure: a summary and a speed in, settings out.

Rules kept:
- what is proposed runs: batches are no larger than the classes that train, the false-identification rate is one that
  the validation queries can tell, limits of checks let through what the photos are today;
- a training takes minutes on the machine whose speed was measured;
- floors of a first release are low: there is one to look at, and the config says that they are to be raised.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.splits.assign import SplitConfig, SplitItem, assign
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.gates import GateConfig
from discern.learning.config import AugmentConfig, DistillConfig, ImageConfig, ModelConfig, TrainingConfig
from discern.quality.checks.model import Check, CheckConfig
from discern.releases.config import PackagingConfig
from discern.use_cases.summary import PhotoSetSummary, SplitCounts, listed

MIN_HELD_OUT = 3  # classes, each for validation and test: 2 enrolled and 1 unknown
MIN_CLASSES = 2 + 2 * MIN_HELD_OUT  # of which some can be held out whole: 2 train
SEEDS = 10  # of splits that are compared
COMPARED_PHOTOS = 5_000  # of a set whose seeds are compared; the split of a larger one is even by itself
QUERIES = 20  # of unknowns in validation, above which more are no reason for another seed

SIDES = (32, 96)  # pixels, of the model's input; multiples of 16
BATCH = 64  # photos of a training step, at most
TRAINING_SECONDS = 150.0  # of each of the two trainings, about
STEPS = (100, 600)  # of a training
LEAST_FPIR = 0.05
# Conditions that a person has to mend before anything else; the others are waived with what was found. That no class is
# unknown is told by `limits`.
STRICT: frozenset[Check] = frozenset({"class_counts", "leakage", "queries", "new_labels"})
TEACHER = ModelConfig(backbone="resnet18d")
# A ResNet-10 at half its width: small enough for a device, and it learns in minutes.
STUDENT = ModelConfig(backbone="resnet10t", options={"channels": [32, 64, 128, 256], "stem_width": 16})
DISTILLATION = DistillConfig(teacher_sees="view")
# Photos from the hand: a little turned and shifted. Mirrored they are another thing where they bear text.
AUGMENT = AugmentConfig(rotation=30, scale=0.25, shift=0.1)


@dataclass(frozen=True)
class Speed:
    """Measured on the machine that will train; seconds that pass where nothing else runs.

    Attributes:
        ingest: reading all photos once.
        checks: checking a version of them.
        teacher_step: one step of the teacher's training.
        student_step: one of the student's.
        slowdown: how many times as long they took while they were measured.
    """

    ingest: float
    checks: float
    teacher_step: float
    student_step: float
    slowdown: float = 1.0


@dataclass(frozen=True)
class BatchShape:
    """The photos of one training step."""

    classes: int
    photos: int


@dataclass(frozen=True)
class Proposal:
    """The settings of a use case; `can_be_released` tells whether a release can come of them."""

    use_case: str
    splits: SplitConfig
    cleaning: CleaningConfig
    checks: CheckConfig
    image: ImageConfig
    teacher: TrainingConfig
    student: TrainingConfig
    distillation: DistillConfig
    gallery: GalleryConfig
    packaging: PackagingConfig
    gates: GateConfig
    channels: Mapping[str, str]
    can_be_released: bool


def propose_splits(photos: Mapping[str, int]) -> SplitConfig:
    """Propose how photos are split that come without a split of their own.

    Of a few seeds the one is taken that comes nearest to the shares; then the one that leaves most unknowns to
    calibrate on, since their number bounds the false-identification rate that can be told.

    Args:
        photos: number of photos of each class, 2 at least.
    """
    if len(photos) < MIN_CLASSES:
        return SplitConfig(by="photos", validation_share=0.2, test_share=0.2)
    share = 0.2 if len(photos) < 50 else 0.1
    shots = max(1, min(5, int(median(photos.values())) // 2))
    proposed = SplitConfig(validation_share=share, test_share=share, unknown_share=0.3, shots=shots, seed=0)
    if sum(photos.values()) > COMPARED_PHOTOS:
        return proposed
    held_out = 2 * max(MIN_HELD_OUT, round(share * len(photos)))

    def worth(config: SplitConfig) -> tuple[int, int]:
        counts = split_counts(photos, config)
        return -abs(len(photos) - held_out - len(counts.train)), min(QUERIES, counts.validation_unknown)

    return max([proposed.model_copy(update={"seed": seed}) for seed in range(SEEDS)], key=worth)


def split_counts(photos: Mapping[str, int], config: SplitConfig) -> SplitCounts:
    """Count what a split of so many photos a class comes to, where no two of them belong together.

    Raises:
        DataError: there are too few classes for it.
    """
    items = [SplitItem(label, f"{label}/{i}") for label, count in photos.items() for i in range(count)]
    rows: list[tuple[str, str, str]] = []
    for item, assignment in zip(items, assign(items, config), strict=True):
        if assignment is not None and item.label is not None:
            split, role = assignment
            rows.append((item.label, split, role or ""))
    return count_rows(rows)


def count_rows(rows: list[tuple[str, str, str]]) -> SplitCounts:
    """Count photos by what a split says of them.

    Args:
        rows: label, split and role of each photo.
    """
    enrolled = {label for label, _, role in rows if role == "gallery"}
    queries = Counter((split, label in enrolled) for label, split, role in rows if role == "query")
    train = Counter(label for label, split, _ in rows if split == "train")
    unknown = {label for label, _, _ in rows} - enrolled
    return SplitCounts(
        train=tuple(sorted(train.values())),
        validation_enrolled=queries["validation", True],
        validation_unknown=queries["validation", False],
        test_enrolled=queries["test", True],
        test_unknown=queries["test", False],
        unknown_classes=tuple(sorted(unknown)),
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


def teacher_and_student(counts: SplitCounts, speed: Speed | None = None) -> tuple[TrainingConfig, TrainingConfig]:
    """Return the settings of both trainings; without a speed, of one step each, which a probe changes."""
    shape = batch_shape(counts)
    steps = (1, 1) if speed is None else (steps_within(speed.teacher_step), steps_within(speed.student_step))
    return training(TEACHER, shape, steps[0], 0.002), training(STUDENT, shape, steps[1], 0.003)


def lowest_fpir(unknown_queries: int) -> float:
    """Return the lowest false-identification rate, in hundredths, that so many unknown queries can tell: 1 of them."""
    if unknown_queries < 2:
        return 0.5
    return max(LEAST_FPIR, math.ceil(100 / unknown_queries) / 100)


def propose(use_case: str, summary: PhotoSetSummary, splits: SplitConfig, speed: Speed) -> Proposal:
    """Propose the settings of a use case.

    Args:
        use_case: its name; its release channels are named after it.
        summary: facts about the photos, split by `splits`.
        splits: as `propose_splits` proposed.
        speed: of this machine.
    """
    teacher, student = teacher_and_student(summary.split, speed)
    classes = len(summary.photos)
    return Proposal(
        use_case=use_case,
        splits=splits,
        cleaning=CleaningConfig(max_rejected_share=_rejected_share(summary)),
        checks=CheckConfig(waive=_waivers(summary)),
        image=image_size(summary.median_short_side),
        teacher=teacher,
        student=student,
        distillation=DISTILLATION,
        gallery=GalleryConfig(photos_per_class=10, represent="auto"),
        packaging=PackagingConfig(fpir=lowest_fpir(summary.split.validation_unknown)),
        # Twice what guessing would reach, but no more than a model that is of use reaches in any case.
        gates=GateConfig(least_recall_at_1=min(0.25, math.ceil(200 / classes) / 100), least_tnir=0.0),
        channels={"production": f"{use_case}-production", "staging": f"{use_case}-staging"},
        can_be_released=summary.split.can_be_released,
    )


def _rejected_share(summary: PhotoSetSummary) -> float:
    """Return the share of broken photos of today, with room for as many again and for one in a hundred."""
    share = len(summary.broken) / max(1, summary.taken)
    return min(1.0, math.ceil(200 * share + 1) / 100)


def _waivers(summary: PhotoSetSummary) -> dict[Check, str]:
    """Return a reason for each failed check that may be waived."""
    reasons: dict[Check, str] = {}
    for failed in summary.failed:
        if failed.check not in STRICT and failed.check not in reasons:
            reasons[failed.check] = f"found by discern init and not looked at yet: {failed.detail}"
    return reasons


def limits(proposal: Proposal, summary: PhotoSetSummary) -> Iterator[str]:
    """Yield a sentence for each thing that will not come of these photos."""
    unknown = summary.split.unknown_classes
    if proposal.can_be_released:
        verb = "is" if len(unknown) == 1 else "are"
        yield (
            f"{listed(unknown)} {verb} held out as unknown, to measure how such are refused: no release will recognise "
            f"{'it' if len(unknown) == 1 else 'them'}."
        )
    elif proposal.splits.by == "photos":
        yield (
            f"A version can be made of {len(summary.photos)} classes, but no release yet: that takes {MIN_CLASSES}, so "
            "that some can be held out whole (2 train; 2 are enrolled and 1 is unknown in validation, and in test)."
        )
    else:
        yield (
            "A version can be made of these photos, but no release yet: their own splits leave validation no class "
            "that is enrolled nowhere, and a threshold is fitted on photos of such."
        )


@dataclass(frozen=True)
class Foretold:
    """Minutes that each pipeline takes where nothing else runs, about."""

    data: float
    training: float
    promotion: float


START_SECONDS = 20.0  # until a pipeline's first step: imports, ZenML's store
PACKAGING_SECONDS = 30.0  # export, numeric formats, calibration, pictures
PROMOTION_SECONDS = 10.0  # both releases on the test queries


def foretell(proposal: Proposal, speed: Speed) -> Foretold:
    """Foretell how long the three pipelines take on the machine whose speed was measured."""
    trainings = proposal.teacher.steps * speed.teacher_step + proposal.student.steps * speed.student_step
    return Foretold(
        data=(START_SECONDS + speed.ingest + speed.checks) / 60,
        training=(START_SECONDS + trainings + PACKAGING_SECONDS) / 60,
        promotion=(START_SECONDS + PROMOTION_SECONDS) / 60,
    )
