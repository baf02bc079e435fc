"""Batches of P classes x K photos, each a pure function of the seed, the step and what was learnt of look-alikes.

pytorch-metric-learning's MPerClassSampler draws from a global generator; here a batch depends on its number alone, so
that an interrupted training goes on with the very batches that an unbroken one would have had.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from discern.datasets.photo_set import PhotoSet
from discern.errors import TrainingError
from discern.learning.config import Symmetries
from discern.learning.hard_classes import LookAlikes
from edge_runtime.core.images import Pixels

logger = logging.getLogger(__name__)

TURNS: dict[Symmetries, int] = {"none": 1, "rotations": 4, "dihedral": 8}


@dataclass(frozen=True)
class Views:
    """The photos of a set, and where symmetries make further classes of them, every photo turned.

    View `photo * turns + turn` is of class `class * turns + turn`. Turn k below 4 is k quarters counterclockwise; from
    4 on the photo is mirrored before that. What is a class of its own when it is turned (a letter; not a pill, which
    lies as it lies) gives training four or eight times the classes.

    Attributes:
        photos: what the views are of.
        turns: views a photo.
    """

    photos: PhotoSet
    turns: int

    @classmethod
    def of(cls, photos: PhotoSet, symmetries: Symmetries) -> Views:
        """The views of `photos` with `symmetries` as further classes."""
        return cls(photos, TURNS[symmetries])

    def __len__(self) -> int:
        return len(self.photos.labels) * self.turns

    def class_ids(self) -> NDArray[np.int64]:
        """The class of each view, [n]."""
        ids, _ = self.photos.class_ids()
        return (ids[:, None] * self.turns + np.arange(self.turns)).reshape(-1)

    def pixels(self, views: NDArray[np.int64]) -> Pixels:
        """The pictures of `views` [m], [m, size, size, 3] uint8."""
        pictures = self.photos.pixels[views // self.turns]
        turn = views % self.turns
        pictures[turn >= 4] = pictures[turn >= 4, :, ::-1]
        for quarters in range(1, 4):
            chosen = turn % 4 == quarters
            pictures[chosen] = np.rot90(pictures[chosen], quarters, axes=(1, 2))
        return pictures


class BatchSampler:
    """Draws P classes and K views of each.

    Args:
        class_ids: class of each view, [n].
        classes_per_batch: P.
        photos_per_class: K; a class with fewer gives some of them twice.
        seed: with the step's number and the look-alikes it fixes the batch.

    Raises:
        TrainingError: fewer than P classes.
    """

    def __init__(
        self, class_ids: Sequence[int] | NDArray[np.int64], classes_per_batch: int, photos_per_class: int, seed: int
    ) -> None:
        ids = np.asarray(class_ids)
        self.members = [np.flatnonzero(ids == c) for c in np.unique(ids)]
        if len(self.members) < classes_per_batch:
            raise TrainingError(
                f"The training split has {len(self.members)} classes, fewer than classes_per_batch = "
                f"{classes_per_batch}: lower it, or hold out fewer classes."
            )
        self.classes_per_batch, self.photos_per_class, self.seed = classes_per_batch, photos_per_class, seed
        if small := sum(len(members) < photos_per_class for members in self.members):
            logger.warning(
                "%d of %d training classes have fewer than photos_per_class = %d photos and give some of them twice: "
                "add photos, or lower it.",
                small,
                len(self.members),
                photos_per_class,
            )

    def batch(self, step: int, lookalikes: LookAlikes | None = None) -> NDArray[np.int64]:
        """The views of batch `step`, [P * K], class by class; classes near each other where `lookalikes` are given."""
        rng = np.random.default_rng((self.seed, step))
        if lookalikes is None:
            classes = rng.choice(len(self.members), self.classes_per_batch, replace=False)
        else:
            classes = lookalikes.draw(self.classes_per_batch, rng)
        return np.concatenate([self._views(self.members[c], rng) for c in classes])

    def _views(self, members: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.choice(members, self.photos_per_class, replace=len(members) < self.photos_per_class)


def step_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """The generator of the augmentations of one step."""
    mixed = int(np.random.SeedSequence((seed, step, 1)).generate_state(1, np.uint64)[0]) >> 1
    return torch.Generator(device=device).manual_seed(mixed)
