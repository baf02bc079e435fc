"""The watch on a training: figures that are not finite, collapse, and validation with early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from discern.errors import TrainingError
from discern.learning.distributed import collectives
from discern.learning.effective_rank import effective_rank
from discern.learning.ema import Ema
from discern.learning.ports import Alarm, Batch, Figures, State

PHOTOS_NAMED = 4  # in an error, of a batch
COLLAPSED = 3  # low ranks in a row: one batch alone may be of classes that are hard to tell apart

Validate = Callable[[Any], float]  # of the task's own model


def check_finite(figure: str, value: float, step: int, batch: Batch) -> None:
    """Refuse a loss or a gradient that is not a finite number.

    Raises:
        TrainingError: it names the step and some photos.
    """
    if not math.isfinite(value):
        raise TrainingError(
            f"The {figure} is {value} at step {step} (photos {list(batch.photos[:PHOTOS_NAMED])} and so on): lower the "
            "learning rate; the last checkpoint is kept."
        )


@dataclass(frozen=True)
class Validation:
    """A figure of the averaged model, of which more is better.

    Attributes:
        name: the figure is logged as `validation_NAME`.
        measure: computes it; called in the main process alone.
    """

    name: str
    measure: Validate


class EarlyStopping:
    """Ends a training that gets no better, and remembers the weights of its best validation.

    Args:
        patience: validations without a better figure; 0 never stops and remembers nothing.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best = -math.inf
        self.worse = 0
        self.weights: dict[str, Tensor] = {}

    def update(self, figure: float, weights: Callable[[], dict[str, Tensor]]) -> None:
        """Take in the figure of a validation; `weights` gives those of the model that was validated."""
        if not self.patience:
            return
        if figure > self.best:
            self.best, self.worse, self.weights = figure, 0, weights()
        else:
            self.worse += 1

    def is_due(self) -> bool:
        """Return whether the last `patience` validations brought nothing better."""
        return 0 < self.patience <= self.worse

    def state(self) -> State:
        """Return what `load` needs to go on from here."""
        return {"best": self.best, "worse": self.worse, "weights": self.weights}

    def load(self, state: State) -> None:
        """Go on from an earlier `state`."""
        self.best, self.worse, self.weights = state["best"], state["worse"], state["weights"]


class CollapseAlarm:
    """Ends a training whose embeddings fall together into few directions.

    Args:
        least_rank: effective rank of a batch's embeddings under which they count as collapsed.
        warmup_steps: steps in which a low rank is no alarm.
        two_classes: a batch is of two classes. They lie best at the ends of one line, which is of rank 1 as one point
            is: a further coordinate, the same for all, gives the ends rank 2.
    """

    def __init__(self, least_rank: float, warmup_steps: float, *, two_classes: bool = False) -> None:
        self.least_rank, self.warmup_steps, self.two_classes = least_rank, warmup_steps, two_classes
        self.low_in_a_row = 0

    def look(self, step: int, outputs: Tensor) -> Figures:
        """Return the effective rank of the embeddings [n, d] of all processes.

        Raises:
            TrainingError: the rank was too low `COLLAPSED` times in a row.
        """
        embeddings = collectives.gather(outputs.detach().float()).cpu()
        if self.two_classes:
            embeddings = functional.pad(embeddings, (0, 1), value=1.0)
        rank = effective_rank(embeddings.numpy())
        is_low = step > self.warmup_steps and rank < self.least_rank
        self.low_in_a_row = self.low_in_a_row + 1 if is_low else 0
        if self.low_in_a_row == COLLAPSED:
            raise TrainingError(
                f"The embeddings collapsed: at step {step} those of a whole batch are of effective rank "
                f"{rank:.2f}, under least_rank = {self.least_rank}; lower the learning rate, or use another "
                "loss or miner; the last checkpoint is kept."
            )
        return {"effective_rank": rank}

    def state(self) -> State:
        """Return what `load` needs to go on from here."""
        return {"low_in_a_row": self.low_in_a_row}

    def load(self, state: State) -> None:
        """Go on from an earlier `state`."""
        self.low_in_a_row = state["low_in_a_row"]


class Monitor:
    """The watch on one training, from its parts.

    Args:
        alarm: looks at the model's outputs every few steps; None watches the loss alone.
        validation: measures the averaged model; None stops nothing early.
        patience: of the early stopping, validations.
    """

    def __init__(self, alarm: Alarm | None = None, validation: Validation | None = None, patience: int = 0) -> None:
        self.alarm, self.validation = alarm, validation
        self.stopping = EarlyStopping(patience)

    def look(self, step: int, outputs: object) -> Figures:
        """Return the alarm's figures of step `step`.

        Raises:
            TrainingError: as the alarm.
        """
        return {} if self.alarm is None else self.alarm.look(step, outputs)

    def validate(self, ema: Ema[Any]) -> Figures:
        """Measure the averaged model in the main process; returns the figure in every process."""
        validation = self.validation
        if validation is None:
            return {}
        figure = collectives.from_main(lambda: validation.measure(ema.model()))
        self.stopping.update(figure, ema.weights)
        return {f"validation_{validation.name}": figure}

    def should_stop(self) -> bool:
        """Return whether the training gets no better."""
        return self.stopping.is_due()

    def best_weights(self) -> dict[str, Tensor] | None:
        """Return the weights of the best validation, or None where none is remembered."""
        return self.stopping.weights or None

    def state(self) -> State:
        """Return what `load` needs to go on from here."""
        return {"stopping": self.stopping.state(), "alarm": {} if self.alarm is None else self.alarm.state()}

    def load(self, state: State) -> None:
        """Go on from an earlier `state`."""
        self.stopping.load(state["stopping"])
        if self.alarm is not None:
            self.alarm.load(state["alarm"])
