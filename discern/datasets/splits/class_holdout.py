"""Which classes are held out of training, and which of those nobody enrols.

Rules kept:
- a class that the version before knew keeps its split, and stays an unknown or does not;
- a new class's split depends on the seed and on its own name (but for the few that fill up a split below its minimum);
- only a class whose photos can be told apart, some to enrol and some to ask, is held out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discern.errors import DataError
from discern.sources.base import Split

MIN_TRAIN_CLASSES = 2  # a metric needs something to tell apart
MIN_ENROLLED_CLASSES = 2  # so does a test of one
HELD_OUT: tuple[Split, ...] = ("test", "validation")


class SplitConfig(BaseModel):
    """How photos are split that come without a split of their own.

    Args:
        by: `classes` holds out whole classes, `photos` holds out photos of every class.
        seed: another seed, another split.
        validation_share: share of the classes (of the photos, where they are split) to calibrate on, about.
        test_share: share of them to test on, about.
        unknown_share: share of the held-out classes that are never enrolled; means nothing where photos are split.
        shots: gallery photos of each held-out class that is enrolled; at least one photo remains a query.
        session_minutes: photos of one class are one capture session while no longer pause lies between two of them, and
            stay on one side; 0 ignores capture times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["classes", "photos"] = "classes"
    seed: int = 0
    validation_share: float = Field(default=0.2, gt=0, lt=1)
    test_share: float = Field(default=0.2, gt=0, lt=1)
    unknown_share: float = Field(default=0.3, ge=0, lt=1)
    shots: int = Field(default=3, ge=1)
    session_minutes: float = Field(default=10, ge=0)

    @model_validator(mode="after")
    def _leave_some_to_train(self) -> SplitConfig:
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave nothing to train on: lower them to less than 1")
        return self

    @property
    def min_unknown_classes(self) -> int:
        """Unknowns that each held-out split needs to measure anything."""
        return 1 if self.unknown_share > 0 else 0

    @property
    def min_heldout(self) -> int:
        """Classes that each held-out split needs."""
        return MIN_ENROLLED_CLASSES + self.min_unknown_classes


def splits_of_classes(
    labels: set[str], before: Mapping[str, Split], divisible: set[str], config: SplitConfig
) -> dict[str, Split]:
    """Choose the split of every class.

    Args:
        labels: the classes whose photos come without a split.
        before: the split that the version before gave some of them.
        divisible: new classes, and changed ones, with photos to enrol and others to ask.
        config: seed, shares and unknowns.

    Raises:
        DataError: there are too few classes, or too few that are divisible.
    """
    chosen: dict[str, Split] = {label: before.get(label, "train") for label in labels}
    if not labels:
        return chosen
    _check_counts(labels, divisible | before.keys(), config)
    draws = {label: draw(config.seed, "class", label) for label in divisible - before.keys()}
    order = sorted(draws, key=lambda label: draws[label])
    held = {split: sum(chosen[label] == split for label in labels) for split in HELD_OUT}
    trained = len(labels) - len(order) - sum(held.values())  # those that train in any case
    spare = len(order) - max(0, MIN_TRAIN_CLASSES - trained)
    test = sum(draws[label] < config.test_share for label in order)
    validation = sum(draws[label] < config.test_share + config.validation_share for label in order) - test
    wanted = {split: max(0, config.min_heldout - count) for split, count in held.items()}
    test = _within(test, wanted["test"], spare - wanted["validation"])
    validation = _within(validation, wanted["validation"], spare - test)
    chosen.update(dict.fromkeys(order[:test], "test"))
    chosen.update(dict.fromkeys(order[test : test + validation], "validation"))
    return chosen


def _check_counts(labels: set[str], usable: set[str], config: SplitConfig) -> None:
    needed = MIN_TRAIN_CLASSES + 2 * config.min_heldout
    if len(labels) < needed:
        raise DataError(
            f"there are {len(labels)} classes, and at least {needed} are needed ({MIN_TRAIN_CLASSES} to train and "
            f"{config.min_heldout} each for validation and test): add classes, set splits.by to photos, or bring your "
            "own splits."
        )
    if len(usable) < 2 * config.min_heldout:
        first = min(labels - usable)
        raise DataError(
            f"{len(usable)} of {len(labels)} classes have photos both to enrol and to ask that are not of one group, "
            f"one capture session or nearly one picture, and {2 * config.min_heldout} are needed ({first!r} has none): "
            "add photos taken at another time, give smaller groups, or lower splits.session_minutes (now "
            f"{config.session_minutes:g}; 0 ignores times)."
        )


def draw_unknown_classes(chosen: Mapping[str, Split], before: Mapping[str, bool], config: SplitConfig) -> set[str]:
    """Choose the held-out classes that nobody enrols.

    Args:
        chosen: the split of every class.
        before: held-out classes of the version before, and whether they were enrolled.
        config: seed and share.
    """
    unknowns = {label for label, enrolled in before.items() if not enrolled}
    for split in HELD_OUT:
        labels = [label for label, name in chosen.items() if name == split]
        if not labels:
            continue
        wanted = _within(
            round(config.unknown_share * len(labels)), config.min_unknown_classes, len(labels) - MIN_ENROLLED_CLASSES
        )
        # The word is part of what is drawn: with another one, the same data set would be split otherwise.
        new = sorted((label for label in labels if label not in before), key=lambda x: draw(config.seed, "stranger", x))
        unknowns.update(new[: max(0, wanted - sum(label in unknowns for label in labels))])
    return unknowns


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def draw(seed: int, purpose: str, key: str) -> float:
    """A number in [0, 1) that depends on these three alone."""
    digest = hashlib.blake2b(f"{purpose}\0{key}".encode(), key=str(seed).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
