"""Another task than embedding for the trainer: a small net finds the box of a bright rectangle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from discern.learning.config import LoopConfig
from discern.learning.device import accelerator
from discern.learning.monitor import Monitor, Validate, Validation
from discern.learning.ports import Log, State
from discern.learning.seeds import AUGMENTATION, step_seed
from discern.learning.trainer import Trainer

PHOTOS, SIDE, BATCH = 48, 16, 8


def config(**changes: object) -> LoopConfig:
    """A training of a tenth of a second."""
    settings = {"steps": 12, "learning_rate": 1e-2, "ema_decay": 0.8, "mixed_precision": "no", "device": "cpu"}
    return LoopConfig.model_validate(settings | changes)


@dataclass(frozen=True)
class BoxBatch:
    """Images [n, 3, SIDE, SIDE] and the box of each, [n, 4]: left, top, right, bottom in [0, 1]."""

    images: Tensor
    boxes: Tensor
    photos: Sequence[int]


class ShuffledSampler:
    """Goes through the photos in an order that each epoch shuffles anew, with noise on the images.

    It also keeps the last error of each photo, so that it has a state of its own; `hard_first` uses it.
    """

    def __init__(self, seed: int, hard_first: bool = False) -> None:
        self.seed, self.hard_first = seed, hard_first
        self.images, self.boxes = rectangles()
        self.errors = torch.zeros(PHOTOS)

    def batch(self, step: int) -> BoxBatch:
        epoch, position = divmod(step, PHOTOS // BATCH)
        order = torch.from_numpy(np.random.default_rng((self.seed, epoch)).permutation(PHOTOS))
        if self.hard_first:
            order = order[self.errors[order].argsort(descending=True, stable=True)]
        rows = order[position * BATCH : (position + 1) * BATCH]
        generator = torch.Generator().manual_seed(step_seed(self.seed, step, AUGMENTATION))
        images = self.images[rows] + 0.05 * torch.randn(BATCH, 3, SIDE, SIDE, generator=generator)
        return BoxBatch(images, self.boxes[rows], rows.tolist())

    def learn(self, outputs: dict[str, Tensor], batch: BoxBatch) -> None:
        self.errors[batch.photos] = (outputs["boxes"].detach().float() - batch.boxes).abs().mean(1)

    def state(self) -> State:
        return {"errors": self.errors}

    def load(self, state: State) -> None:
        self.errors = state["errors"]


class BoxNet(nn.Module):
    """Two layers, with all that makes a step depend on more than its weights: running statistics and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(4 * (SIDE // 2) ** 2, 4)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = functional.relu(self.norm(self.convolution(images)))
        return {"boxes": self.head(self.dropout(features.flatten(1)))}


class BoxObjective(nn.Module):
    """Smooth L1 loss with a learned scale (Kendall, Gal and Cipolla, CVPR 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(1))

    def forward(self, outputs: dict[str, Tensor], batch: BoxBatch) -> Tensor:
        error = functional.smooth_l1_loss(outputs["boxes"], batch.boxes, beta=0.1)
        return (error * torch.exp(-self.log_scale) + 0.01 * self.log_scale).sum()


def rectangles() -> tuple[Tensor, Tensor]:
    """Images with one bright rectangle each, and its box."""
    rng = np.random.default_rng(11)
    corners = rng.integers(0, SIDE // 2, (PHOTOS, 2))
    corners = np.concatenate([corners, corners + rng.integers(3, SIDE // 2, (PHOTOS, 2))], axis=1)
    images = np.full((PHOTOS, 3, SIDE, SIDE), 0.1, np.float32)
    for image, (left, top, right, bottom) in zip(images, corners, strict=True):
        image[:, top:bottom, left:right] = 0.9
    return torch.from_numpy(images), torch.from_numpy(corners.astype(np.float32) / SIDE)


def box_error(model: BoxNet) -> float:
    """Mean absolute error of the boxes of all photos."""
    images, boxes = rectangles()
    with torch.no_grad():
        return float((model(images)["boxes"] - boxes).abs().mean())


def trainer(
    config: LoopConfig,
    *,
    objective: nn.Module | None = None,
    validate: Validate | None = None,
    log: Log | None = None,
    **sampling: Any,
) -> Trainer[BoxBatch, BoxNet]:
    """The trainer of a new `BoxNet`; `validate` is logged as `validation_score`."""
    torch.manual_seed(config.seed)
    monitor = Monitor(validation=None if validate is None else Validation("score", validate), patience=config.patience)
    sampler = ShuffledSampler(config.seed, **sampling)
    return Trainer(config, accelerator(config), BoxNet(), objective or BoxObjective(), sampler, monitor, log)
