"""Batches of P classes x K photos, each a pure function of the seed, the step and the means of the classes.

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
from torch import Tensor

from discern.datasets.photo_set import PhotoSet
from discern.errors import TrainingError
from discern.learning.augment import augment
from discern.learning.config import Symmetries, TrainingConfig
from discern.learning.distributed import collectives
from discern.learning.hard_classes import HardClasses
from discern.learning.losses import LabelledBatch
from discern.learning.models import memory_format
from discern.learning.ports import State
from discern.learning.seeds import AUGMENTATION, process_seed, step_seed
from discern.words import counted
from edge_runtime.core.images import Pixels

logger = logging.getLogger(__name__)

TURNS: dict[Symmetries, int] = {"none": 1, "rotations": 4, "dihedral": 8}
LEAST_CLASSES = 2  # of which one can be told from the other


@dataclass(frozen=True)
class Views:
    """The photos of a set, each in all its turns where symmetries make further classes of them.

    View `photo * turns + turn` is of class `class * turns + turn`. Turn k below 4 is k quarters counterclockwise; from
    4 on the photo is mirrored before that. Things that are a class of their own when turned (a letter; not a pill,
    which lies in any direction) give training four or eight times the classes.

    Attributes:
        photos: the photos as they are.
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
        """The images of `views` [m], [m, size, size, 3] uint8."""
        images = self.photos.pixels[views // self.turns]
        turn = views % self.turns
        images[turn >= 4] = images[turn >= 4, :, ::-1]
        for quarters in range(1, 4):
            chosen = turn % 4 == quarters
            images[chosen] = np.rot90(images[chosen], quarters, axes=(1, 2))
        return images


def check_classes(classes: int) -> None:
    """Refuse a training on fewer than `LEAST_CLASSES` classes, turns of a class counted by themselves.

    Raises:
        TrainingError: there are fewer.
    """
    if classes < LEAST_CLASSES:
        raise TrainingError(
            f"The training split has {counted(classes, 'class')}, and what tells classes apart is learnt from "
            f"{LEAST_CLASSES} at least: add classes, hold out fewer, or train nothing by `teacher: none`."
        )


class BatchSampler:
    """Draws P classes and K views of each.

    Args:
        class_ids: class of each view, [n].
        classes_per_batch: P that is wished for; where there are fewer classes, a batch takes all of them.
        photos_per_class: K; a class with fewer gives some of them twice.
        seed: with the step's number and the means of the classes it fixes the batch.

    Attributes:
        classes_per_batch: P.

    Raises:
        TrainingError: fewer than two classes.
    """

    def __init__(
        self, class_ids: Sequence[int] | NDArray[np.int64], classes_per_batch: int, photos_per_class: int, seed: int
    ) -> None:
        ids = np.asarray(class_ids)
        self.members = [np.flatnonzero(ids == c) for c in np.unique(ids)]
        check_classes(len(self.members))
        self.classes_per_batch = min(classes_per_batch, len(self.members))
        self.photos_per_class, self.seed = photos_per_class, seed
        if self.classes_per_batch < classes_per_batch:
            logger.warning(
                "There are %d training classes, fewer than classes_per_batch = %d: every batch takes all of them.",
                len(self.members),
                classes_per_batch,
            )
        if small := sum(len(members) < photos_per_class for members in self.members):
            logger.warning(
                "%d of %d training classes have fewer than photos_per_class = %d photos and give some of them twice: "
                "add photos, or lower it.",
                small,
                len(self.members),
                photos_per_class,
            )

    def batch(self, step: int, hard_classes: HardClasses | None = None) -> NDArray[np.int64]:
        """The views of batch `step`, [P * K], class by class; `hard_classes` chooses the classes where given."""
        rng = np.random.default_rng((self.seed, step))
        if hard_classes is None:
            classes = rng.choice(len(self.members), self.classes_per_batch, replace=False)
        else:
            classes = hard_classes.draw(self.classes_per_batch, rng)
        return np.concatenate([self._views(self.members[c], rng) for c in classes])

    def _views(self, members: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.choice(members, self.photos_per_class, replace=len(members) < self.photos_per_class)


class PKSampler:
    """The batches of an embedder: P classes x K views, changed at random on the device that trains.

    With `lookalikes` in the config, part of the classes are drawn for being hard to tell from the others.

    Args:
        views: of the training photos.
        config: P, K, look-alikes, changes and seed.
        device: trains.
        process: number of this process, which draws batches of its own.

    Raises:
        TrainingError: as `check_classes`.
    """

    def __init__(self, views: Views, config: TrainingConfig, device: torch.device, process: int = 0) -> None:
        self.views, self.config, self.device = views, config, device
        self.class_ids = views.class_ids()
        self.seed = process_seed(config.seed, process)
        self.draws = BatchSampler(self.class_ids, config.classes_per_batch, config.photos_per_class, self.seed)
        self.hard_classes: HardClasses | None = None
        if config.lookalikes:
            self.hard_classes = HardClasses(
                len(self.draws.members), config.model.embedding_dim, config.lookalikes, config.seed, views.turns
            )

    def batch(self, step: int) -> LabelledBatch:
        """Return the batch of `step`: this process's images, and the labels and views of all processes."""
        chosen = self.draws.batch(step, self.hard_classes)
        pixels = torch.from_numpy(self.views.pixels(chosen)).to(self.device)
        images = augment(pixels, self.config.augment, step_generator(self.seed, step, self.device))
        return LabelledBatch(
            images.contiguous(memory_format=memory_format(self.config.model)),
            self._of_all(self.class_ids[chosen]),
            self._of_all(chosen),
            self.views.turns,
        )

    def learn(self, outputs: Tensor, batch: LabelledBatch) -> None:
        """Take the embeddings [n, d] of a batch into the means of their classes."""
        if self.hard_classes is not None:
            self.hard_classes.update(collectives.gather(outputs.detach().float()), batch.labels)

    def state(self) -> State:
        """Return what `load` needs to go on from here."""
        return {} if self.hard_classes is None else {"class_means": self.hard_classes.means}

    def load(self, state: State) -> None:
        """Go on from an earlier `state`."""
        if self.hard_classes is not None:
            self.hard_classes.means = state["class_means"]

    def _of_all(self, numbers: NDArray[np.int64]) -> Tensor:
        return collectives.gather(torch.from_numpy(numbers).to(self.device))


def step_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """The generator of the augmentations of one step."""
    return torch.Generator(device=device).manual_seed(step_seed(seed, step, AUGMENTATION))
