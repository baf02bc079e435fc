"""The choice of the classes that are held out of training, and of those among them that nobody enrols.

Rules kept:
- a class of an earlier version keeps its split, and stays enrolled or unknown;
- a new class's split depends on the seed and on its own name, except for the few that fill a split up to its minimum;
- only a class whose photos can be told apart, some to enrol and some to ask, is held out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from discern.datasets.splits.config import HELD_OUT, MIN_ENROLLED_CLASSES, MIN_TRAIN_CLASSES, SplitConfig
from discern.errors import DataError
from discern.sources.base import Split
from discern.stable_random import stable_random
from discern.words import be, counted

BY_PHOTOS = (
    "set `splits: {by: photos}`, which holds out photos of every class (no class is then new to the model when it is "
    "measured; unknowns are measured by leaving classes out, and by photos from elsewhere)"
)
DRAW_OF_UNKNOWN = "stranger"  # what unknown classes were once called: another word would choose other classes


def splits_of_classes(
    labels: set[str], before: Mapping[str, Split], divisible: set[str], config: SplitConfig
) -> dict[str, Split]:
    """Choose the split of every class.

    Args:
        labels: all classes whose photos come without a split.
        before: the split that some of them have in an earlier version.
        divisible: those with photos to enrol and others to ask.
        config: seed, shares and unknowns.

    Raises:
        DataError: there are too few classes, or too few that are divisible.
    """
    splits: dict[str, Split] = {label: before.get(label, "train") for label in labels}
    if not labels:
        return splits
    if not _holds_out_enough(labels, before, config):
        _check_counts(labels, divisible | before.keys(), config)
    draws = {label: stable_random(config.seed, "class", label) for label in divisible - before.keys()}
    test, validation = _new_heldout_counts(draws, splits, config)
    order = sorted(draws, key=lambda label: draws[label])
    splits.update(dict.fromkeys(order[:test], "test"))
    splits.update(dict.fromkeys(order[test : test + validation], "validation"))
    return splits


def draw_unknown_classes(splits: Mapping[str, Split], before: Mapping[str, bool], config: SplitConfig) -> set[str]:
    """Choose the held-out classes that nobody enrols.

    Args:
        splits: the split of every class.
        before: the held-out classes of an earlier version; True where the class was enrolled.
        config: seed and share.
    """
    unknown: set[str] = set()
    for split in HELD_OUT:
        labels = [label for label in splits if splits[label] == split]
        unknown |= _unknown_classes_of_split(labels, before, config)
    return unknown


def are_enough(count: int, divisible: int, config: SplitConfig) -> bool:
    """Return True if some of so many classes can be held out whole.

    Args:
        count: classes with photos that come without a split.
        divisible: those of them with photos to enrol and others to ask.
        config: how they are split.
    """
    return count >= config.min_classes and divisible >= 2 * config.min_heldout


def check_class_count(count: int, config: SplitConfig) -> None:
    """Refuse too few classes; none at all are split by their source.

    Args:
        count: classes with photos that come without a split.
        config: how they are split.

    Raises:
        DataError: there are too few to hold some out.
    """
    if config.by == "classes" and 0 < count < config.min_classes:
        raise _too_few(count, config)


def _too_few(count: int, config: SplitConfig) -> DataError:
    return DataError(
        f"there {be(count)} {counted(count, 'class')}, and at least {config.min_classes} are needed to hold some out "
        f"whole ({MIN_TRAIN_CLASSES} to train and {config.min_heldout} each for validation and test): {BY_PHOTOS}, or "
        "add classes."
    )


def _check_counts(labels: set[str], usable: set[str], config: SplitConfig) -> None:
    if len(labels) < config.min_classes:
        raise _too_few(len(labels), config)
    if not are_enough(len(labels), len(usable), config):
        first = min(labels - usable)
        raise DataError(
            f"{len(usable)} of {len(labels)} classes have photos both to enrol and to ask that are not of one group, "
            f"one capture session or nearly one picture, and {2 * config.min_heldout} are needed ({first!r} has none): "
            "add photos taken at another time, give smaller groups, or lower splits.session_minutes (now "
            f"{config.session_minutes:g}; 0 ignores times)."
        )


def _holds_out_enough(labels: set[str], before: Mapping[str, Split], config: SplitConfig) -> bool:
    """Return True if no class has to be held out: none is new, or the earlier ones fill the held-out splits."""
    counts = Counter(before[label] for label in labels if label in before)
    return labels <= before.keys() or all(counts[split] >= config.min_heldout for split in HELD_OUT)


def _new_heldout_counts(
    draws: Mapping[str, float], splits: Mapping[str, Split], config: SplitConfig
) -> tuple[int, int]:
    """Return how many of the drawn classes go to test and to validation.

    As many as their numbers say, if that fills each split up to its minimum and leaves enough classes to train.
    """
    counts = Counter(splits.values())
    always_trained = counts["train"] - len(draws)
    spare = len(draws) - max(0, MIN_TRAIN_CLASSES - always_trained)
    drawn = Counter(config.split_at(draw) for draw in draws.values())
    test_needed = max(0, config.min_heldout - counts["test"])
    validation_needed = max(0, config.min_heldout - counts["validation"])
    test = _within(drawn["test"], test_needed, spare - validation_needed)
    validation = _within(drawn["validation"], validation_needed, spare - test)
    return test, validation


def _unknown_classes_of_split(labels: Sequence[str], before: Mapping[str, bool], config: SplitConfig) -> set[str]:
    """Return the unknown classes of one split: those of an earlier version, and new ones up to the share."""
    most = len(labels) - MIN_ENROLLED_CLASSES
    wanted = _within(round(config.unknown_share * len(labels)), config.min_unknown_classes, most)
    earlier = {label for label in labels if label in before and not before[label]}
    new = [label for label in labels if label not in before]
    new.sort(key=lambda label: stable_random(config.seed, DRAW_OF_UNKNOWN, label))
    return earlier.union(new[: max(0, wanted - len(earlier))])


def _within(value: int, low: int, high: int) -> int:
    """Return `value`, or the bound that it passes; `low` wins over `high`."""
    return max(low, min(value, high))
