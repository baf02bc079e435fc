"""The moving average of a model's weights, which is the model that a training gives out."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from discern.learning.ports import State

ModelT = TypeVar("ModelT", bound=nn.Module)


class Ema(Generic[ModelT]):
    """Exponential moving average of weights and running statistics (Polyak and Juditsky, 1992).

    Args:
        blank: a copy of the model as it is without accelerate, which wraps `forward` in mixed precision.
        trained: the model in training.
        decay: weight of the average in each update.
    """

    def __init__(self, blank: ModelT, trained: nn.Module, decay: float) -> None:
        self._blank = blank.to(memory_format=torch.contiguous_format).cpu().eval()
        self._average = AveragedModel(trained, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)

    def update(self, trained: nn.Module) -> None:
        """Take in the weights after a step."""
        self._average.update_parameters(trained)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the averaged weights, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self._average.module.state_dict().items()}

    def model(self, weights: dict[str, Tensor] | None = None) -> ModelT:
        """Return a model of the averaged weights, or of earlier `weights`, in evaluation mode, on the CPU."""
        model = copy.deepcopy(self._blank)
        model.load_state_dict(self.weights() if weights is None else weights)
        return model

    def state(self) -> State:
        """Return what `load` needs to go on from here."""
        return self._average.state_dict()

    def load(self, state: State) -> None:
        """Go on from an earlier `state`."""
        self._average.load_state_dict(state)
