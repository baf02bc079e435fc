"""The ports of a training: what a task hands to `discern.learning.trainer.Trainer` beside its model.

- A `Sampler` gives the batch of each step.
- An objective, any `nn.Module`, takes the model's outputs and that batch and gives the loss. Its own parameters, such
  as proxies, are trained too.
- A `discern.learning.monitor.Monitor` watches the training; what is particular to a task is its `Alarm` and its
  `Validation`.

Each port sees the photos and outputs of its own process. One that needs those of all processes gathers them by
`discern.learning.distributed.collectives`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from torch import Tensor

State = dict[str, Any]  # tensors and plain values, as `torch.save` writes and `load_tensors` reads
Figures = dict[str, float]
History = list[tuple[int, Figures]]  # (step, figures)
Log = Callable[[int, Figures], None]


class Batch(Protocol):
    """The photos of one step and what is to be learned from them; the rest of it is between sampler and objective."""

    @property
    def images(self) -> Tensor:
        """The model's input, [n, 3, H, W] in [0, 1]."""

    @property
    def photos(self) -> Sequence[int]:
        """Numbers of some of the photos, to name in an error."""


BatchT = TypeVar("BatchT", bound=Batch)


class Sampler(Protocol[BatchT]):
    """The source of batches. A batch is a pure function of the step and of the sampler's state."""

    def batch(self, step: int) -> BatchT:
        """Return the batch of `step`, on the device that trains."""

    def learn(self, outputs: Any, batch: BatchT) -> None:
        """Take in what the model made of a batch, after its step, so that later batches may depend on it."""

    def state(self) -> State:
        """Return what `load` needs to go on from here."""

    def load(self, state: State) -> None:
        """Go on from an earlier `state`."""


class Alarm(Protocol):
    """A watch on the model's outputs that may end the training."""

    def look(self, step: int, outputs: Any) -> Figures:
        """Return figures of the outputs of step `step`, to be logged.

        Raises:
            TrainingError: the training has failed.
        """

    def state(self) -> State:
        """Return what `load` needs to go on from here."""

    def load(self, state: State) -> None:
        """Go on from an earlier `state`."""
