"""Photos as training sees them, for people to judge whether a change would make another thing of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from discern.learning.augment import augment
from discern.learning.config import AugmentConfig, ImageConfig
from edge_runtime.core.images import Pixels


class PreviewConfig(BaseModel):
    """What training will do to photos.

    Args:
        image: how they become the model's input.
        augment: how they are changed at random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: ImageConfig
    augment: AugmentConfig = AugmentConfig()


def augmenter(config: PreviewConfig, seed: int = 0) -> Callable[[Sequence[Pixels]], list[Pixels]]:
    """A function from photos, uint8 [h, w, 3] each, to the same photos changed once each, uint8 [size, size, 3].

    Args:
        config: how they are changed.
        seed: two functions of one seed change the same photos in the same way, in the same order of calls.
    """
    generator = torch.Generator().manual_seed(seed)

    def change(photos: Sequence[Pixels]) -> list[Pixels]:
        inputs = np.stack([config.image.preprocessing.apply(photo) for photo in photos])
        changed = augment(torch.from_numpy(inputs), config.augment, generator)
        return list((changed.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy())

    return change
