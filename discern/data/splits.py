"""Which photos train, which calibrate and which test.

Rules kept:
- whole classes are held out: a class that trains has no photo in validation or test;
- a class's split depends on the seed and on its own name, so photos and classes that join later move no other
  (but for the few that fill up a split below its minimum);
- in a held-out class the photos of one group, and equal photos, are all gallery or all query;
- strangers are held-out classes that nobody enrols: all their photos are queries, and the right answer is "unknown".
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discern.data.photos import Role, Split
from discern.errors import DataError

MIN_TRAIN_CLASSES = 2  # a metric needs something to tell apart
MIN_ENROLLED_CLASSES = 2  # so does a test of one


class SplitConfig(BaseModel):
    """How photos are split that come without a split of their own.

    Args:
        seed: another seed, another split.
        validation_classes: share of the classes held out to calibrate on, about.
        test_classes: share of the classes held out to test on, about.
        stranger_share: share of the held-out classes that are never enrolled.
        shots: gallery photos of each held-out class that is enrolled; at least one photo remains a query.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    validation_classes: float = Field(default=0.2, gt=0, lt=1)
    test_classes: float = Field(default=0.2, gt=0, lt=1)
    stranger_share: float = Field(default=0.3, ge=0, lt=1)
    shots: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _leave_some_to_train(self) -> SplitConfig:
        if self.validation_classes + self.test_classes >= 1:
            raise ValueError("validation_classes and test_classes leave nothing to train on: lower them to less than 1")
        return self

    @property
    def min_strangers(self) -> int:
        """Strangers that each held-out split needs to measure anything."""
        return 1 if self.stranger_share > 0 else 0

    @property
    def min_heldout(self) -> int:
        """Classes that each held-out split needs."""
        return MIN_ENROLLED_CLASSES + self.min_strangers


@dataclass(frozen=True)
class Sample:
    """What a split needs to know of one photo; `split` and `role` are its source's own, if any."""

    label: str
    sha256: str
    group: str | None = None
    split: Split | None = None
    role: Role | None = None


def assign(samples: Sequence[Sample], config: SplitConfig) -> list[tuple[Split, Role]]:
    """Give every photo its split and its role; what its source says is kept.

    Raises:
        DataError: there are too few classes, or a class has too few photos.
    """
    chosen = _splits_of_classes({s.label for s in samples if s.split is None}, config)
    splits = [sample.split or chosen[sample.label] for sample in samples]
    trained = {sample.label for sample, split in zip(samples, splits, strict=True) if split == "train"}
    only_asked = trained | _strangers(chosen, config)
    roles: dict[int, Role] = {i: sample.role for i, sample in enumerate(samples) if sample.role}
    for (label, split), rows in _rows_by_class(samples, splits).items():
        if split == "train":
            roles.update(dict.fromkeys(rows, "gallery"))
        elif label in only_asked:  # known classes have their gallery in training, strangers have none
            roles.update(dict.fromkeys(rows, "query"))
        else:
            roles.update(_enrol(rows, samples, config))
    return [(split, roles[i]) for i, split in enumerate(splits)]


def _splits_of_classes(labels: set[str], config: SplitConfig) -> dict[str, Split]:
    if not labels:
        return {}
    needed = MIN_TRAIN_CLASSES + 2 * config.min_heldout
    if len(labels) < needed:
        raise DataError(
            f"there are {len(labels)} classes, and at least {needed} are needed ({MIN_TRAIN_CLASSES} to train and "
            f"{config.min_heldout} each for validation and test): add classes, or bring your own splits."
        )
    draw = {label: _draw(config.seed, "class", label) for label in labels}
    order = sorted(labels, key=lambda label: draw[label])
    test = sum(draw[label] < config.test_classes for label in order)
    validation = sum(draw[label] < config.test_classes + config.validation_classes for label in order) - test
    test = _within(test, config.min_heldout, len(order) - MIN_TRAIN_CLASSES - config.min_heldout)
    validation = _within(validation, config.min_heldout, len(order) - MIN_TRAIN_CLASSES - test)
    chosen: dict[str, Split] = dict.fromkeys(labels, "train")
    chosen.update(dict.fromkeys(order[:test], "test"))
    chosen.update(dict.fromkeys(order[test : test + validation], "validation"))
    return chosen


def _rows_by_class(samples: Sequence[Sample], splits: Sequence[Split]) -> dict[tuple[str, Split], list[int]]:
    """The photos whose role is ours to choose."""
    rows: dict[tuple[str, Split], list[int]] = defaultdict(list)
    for i, (sample, split) in enumerate(zip(samples, splits, strict=True)):
        if sample.role is None:
            rows[sample.label, split].append(i)
    return rows


def _enrol(rows: Sequence[int], samples: Sequence[Sample], config: SplitConfig) -> dict[int, Role]:
    """Gallery: whole groups in drawn order until there are `shots` photos; the last group is always left to ask."""
    groups = _groups(rows, samples)
    groups.sort(key=lambda group: _draw(config.seed, "photo", min(samples[i].sha256 for i in group)))
    if len(groups) < 2:
        raise DataError(
            f"class {samples[rows[0]].label!r} is held out and has one photo or one group of photos, so none would be "
            "left to ask once it is enrolled: add photos of it, or remove the class."
        )
    roles: dict[int, Role] = dict.fromkeys(rows, "query")
    enrolled = 0
    for group in groups[:-1]:
        if enrolled >= config.shots:
            break
        roles.update(dict.fromkeys(group, "gallery"))
        enrolled += len(group)
    return roles


def _groups(rows: Sequence[int], samples: Sequence[Sample]) -> list[list[int]]:
    """Rows joined where they share a group or the very same image."""
    parent = {i: i for i in rows}

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    first: dict[Hashable, int] = {}
    for i in rows:
        keys: list[Hashable] = [("image", samples[i].sha256)]
        if samples[i].group is not None:
            keys.append(("group", samples[i].group))
        for key in keys:
            parent[root(i)] = root(first.setdefault(key, i))
    joined: dict[int, list[int]] = defaultdict(list)
    for i in rows:
        joined[root(i)].append(i)
    return list(joined.values())


def _strangers(chosen: Mapping[str, Split], config: SplitConfig) -> set[str]:
    strangers: set[str] = set()
    for split in ("validation", "test"):
        labels = [label for label, name in chosen.items() if name == split]
        if not labels:
            continue
        count = _within(
            round(config.stranger_share * len(labels)), config.min_strangers, len(labels) - MIN_ENROLLED_CLASSES
        )
        strangers.update(sorted(labels, key=lambda label: _draw(config.seed, "stranger", label))[:count])
    return strangers


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _draw(seed: int, purpose: str, key: str) -> float:
    """A number in [0, 1) that depends on these three alone."""
    digest = hashlib.blake2b(f"{purpose}\0{key}".encode(), key=str(seed).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
