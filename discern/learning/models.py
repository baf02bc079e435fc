"""A timm backbone with an embedding head. Normalisation is part of the model, so that no caller can get it wrong."""

from __future__ import annotations

import difflib
import io
import pickle
from typing import Any

import fsspec
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from discern.errors import TrainingError
from discern.learning.config import ModelConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # timm's default, so that its pretrained weights fit
IMAGENET_STD = (0.229, 0.224, 0.225)


class EmbeddingModel(nn.Module):
    """Photos in, unit vectors out.

    Args:
        config: backbone, head and where weights come from.

    Raises:
        TrainingError: the backbone is unknown, or its weights cannot be had or do not fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = _backbone(config)
        if config.stem == "small":
            _halve_stem_stride(self.backbone, config.backbone)
        # Some timm models have a head between features and pooled output that changes the width.
        width = getattr(self.backbone, "head_hidden_size", None) or self.backbone.num_features
        self.head = nn.Linear(width, config.embedding_dim)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        if config.weights is not None:
            load_weights(self, config.weights)

    def forward(self, images: Tensor) -> Tensor:
        """Embed `images` [n, 3, H, W], float in [0, 1]; returns [n, embedding_dim] of unit length."""
        features = self.backbone((images - self.mean) / self.std)
        return functional.normalize(self.head(features), dim=1)


def count_parameters(model: nn.Module) -> int:
    """Number of weights of `model`."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_adds(model: EmbeddingModel, size: int) -> int:
    """Multiply-adds of one photo of `size` x `size` pixels, convolutions and linear layers."""
    total = 0

    def hook(module: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            kernel = module.kernel_size[0] * module.kernel_size[1] * module.in_channels // module.groups
            total += output.shape[1] * output.shape[2] * output.shape[3] * kernel
        elif isinstance(module, nn.Linear):
            total += module.in_features * module.out_features

    handles = [module.register_forward_hook(hook) for module in model.modules()]
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, size, size))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return total


def load_weights(model: nn.Module, url: str) -> None:
    """Load a state dict from a path or an s3:// URL into `model`.

    Raises:
        TrainingError: it cannot be read, or its keys or shapes do not fit.
    """
    try:
        with fsspec.open(url, "rb") as file:
            state = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
        model.load_state_dict(state)
    except (OSError, pickle.UnpicklingError, EOFError) as error:
        raise TrainingError(f"The weights {url} cannot be read ({error}): name a file saved by torch.save.") from None
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise TrainingError(f"The weights {url} do not fit this model ({reason}): use the config they came from.") from None


def _backbone(config: ModelConfig) -> Any:
    if not timm.is_model(config.backbone):
        near = difflib.get_close_matches(config.backbone, timm.list_models(), n=3)
        raise TrainingError(
            f"timm has no model {config.backbone!r}: "
            + (f"did you mean {', '.join(near)}?" if near else "see timm.list_models().")
        )
    try:
        return timm.create_model(config.backbone, pretrained=config.pretrained, num_classes=0)
    except Exception as error:
        if not config.pretrained:
            raise
        # The hub's client raises a dozen kinds of error for one cause.
        raise TrainingError(
            f"The pretrained weights of {config.backbone} cannot be fetched ({type(error).__name__}): "
            "set `pretrained: false`, or name a file in `weights`."
        ) from None


def _halve_stem_stride(backbone: Any, name: str) -> None:
    """ResNets lose their max-pool, others the stride of their first convolution: both keep all weights as they are."""
    if isinstance(getattr(backbone, "maxpool", None), nn.MaxPool2d):
        backbone.maxpool = nn.Identity()
        return
    stem = getattr(backbone, "conv_stem", None)
    if isinstance(stem, nn.Conv2d) and stem.stride == (2, 2):
        stem.stride = (1, 1)
        return
    raise TrainingError(f"`stem: small` is not known for {name}: use `stem: standard`.")
