"""Photos as training sees them, so that people can judge whether a change makes another thing of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from discern.errors import ConfigError
from discern.learning.config import AugmentConfig, ImageConfig, TrainingConfig
from edge_runtime.core.images import Pixels


class PreviewConfig(BaseModel):
    """The changes that a training makes to photos.

    Args:
        image: how they become the model's input.
        augment: how they are changed at random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: ImageConfig
    augment: AugmentConfig = AugmentConfig()


def preview_of(config: Mapping[str, Any], name: str) -> PreviewConfig | None:
    """Return what a training does to photos: its teacher's changes, at the size of its `image`; None without a teacher.

    Args:
        config: a parsed config of the training pipeline.
        name: of the config, for errors.

    Raises:
        ConfigError: `image` or `teacher` is missing among its parameters, or is not valid.
    """
    parameters = config.get("parameters") or {}
    try:
        if parameters["teacher"] == "none":
            return None
        teacher = TrainingConfig.model_validate(parameters["teacher"])
        return PreviewConfig(image=parameters["image"], augment=teacher.augment)
    except (KeyError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{name} is no config of the training pipeline ({reason}): mend it, or set `training: null`."
        ) from None


def augmenter(config: PreviewConfig, seed: int = 0) -> Callable[[Sequence[Pixels]], list[Pixels]]:
    """A function from photos, uint8 [h, w, 3] each, to the same photos changed once each, uint8 [size, size, 3].

    Args:
        config: how they are changed.
        seed: two functions of one seed change the same photos in the same way, in the same order of calls.
    """
    import torch

    from discern.learning.augment import augment

    generator = torch.Generator().manual_seed(seed)

    def change(photos: Sequence[Pixels]) -> list[Pixels]:
        inputs = np.stack([config.image.preprocessing.apply(photo) for photo in photos])
        changed = augment(torch.from_numpy(inputs), config.augment, generator)
        return list((changed.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy())

    return change
