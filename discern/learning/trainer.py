"""A training: steps, log, validation and checkpoints of any task, on a CPU, a GPU or several.

Rules kept:
- a step is a pure function of the state before it, the seed and its number, so a resumed training ends where an
  unbroken one would have: on a CPU with the same number of threads to the bit, on a GPU as near as its sums in any
  order are to each other;
- the model that comes out is the moving average of the weights, with `patience` as it was at its best validation;
- a loss or a gradient that is not finite, or what the monitor's alarm finds, ends the training with the number of its
  step, before it reaches the checkpoint, and the last one stays;
- several processes (started by `discern.learning.distributed.launch`, or by `torchrun`) train as one on a batch as
  many times as large, and `discern.learning.learner` says how; the learning rate is taken as it stands;
- the main process alone validates, logs and writes, and an error there ends the others too. What else ends a training
  is the same in all. Where a process dies of itself, the launcher ends the rest.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Generic

import torch
from accelerate import Accelerator
from torch import nn

from discern.errors import TrainingError
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import LoopConfig
from discern.learning.device import mixed_precision
from discern.learning.distributed import collectives
from discern.learning.ema import ModelT
from discern.learning.learner import Learner
from discern.learning.monitor import Monitor
from discern.learning.ports import BatchT, Figures, History, Log, Sampler, State
from discern.progress import bar

LOG_EVERY = 10  # steps
CHECKPOINT_SECONDS = 600.0  # after which a checkpoint is due before `checkpoint_every` steps are taken

logger = logging.getLogger(__name__)


@dataclass
class TrainingResult(Generic[ModelT]):
    """The model that a training gives out, with its history and speed.

    Attributes:
        model: the averaged model, in evaluation mode, on the CPU; with `patience`, the best that was validated.
        history: (step, figures) as they were logged.
        seconds: wall time of this process, validations and checkpoints too.
        photos_per_second: training throughput of this process, 0 where it took no step.
        waiting: share of the time spent on preparing batches.
    """

    model: ModelT
    history: History = field(default_factory=list)
    seconds: float = 0.0
    photos_per_second: float = 0.0
    waiting: float = 0.0


class Trainer(Generic[BatchT, ModelT]):
    """Trains a model by the three ports of a task (`discern.learning.ports`).

    In several processes, make one in each of them with the same arguments.

    Args:
        config: how long and by what steps.
        machine: the accelerator of this training.
        model: takes the images of a batch.
        objective: (outputs of the model, batch) -> loss; its parameters are trained too.
        sampler: gives the batch of each step.
        monitor: watches the training.
        log: called with step and figures every few steps, in the main process.
    """

    def __init__(
        self,
        config: LoopConfig,
        machine: Accelerator,
        model: ModelT,
        objective: nn.Module,
        sampler: Sampler[BatchT],
        monitor: Monitor,
        log: Log | None = None,
    ) -> None:
        self.config = config
        self.learner = Learner(config, machine, model, objective)
        self.sampler, self.monitor, self.log = sampler, monitor, log
        self.step = 0
        self.history: History = []
        self.photos_seen, self.seconds_preparing = 0, 0.0  # by this process since it started
        self.saved_at = time.perf_counter()

    def run(self, name: str, checkpoint: Checkpoint | None = None) -> TrainingResult[ModelT]:
        """Train to the end, from the state in `checkpoint` where it holds one.

        Args:
            name: what the progress bar calls the training.
            checkpoint: where the main process keeps the state; None keeps none.

        Raises:
            TrainingError: the checkpoint does not fit, a figure is not finite, or the monitor's alarm ends it.
        """
        self.resume(checkpoint)
        started = time.perf_counter()
        latest: Figures = {}
        with bar(total=self.config.steps, initial=self.step, name=name, unit="step") as progress:
            while self.step < self.config.steps and not self.monitor.should_stop():
                logged = len(self.history)
                self.advance()
                if self.monitor.validation is not None and self._is_due(self.config.validate_every):
                    self._report(self.monitor.validate(self.learner.ema))
                if checkpoint is not None and self._checkpoint_is_due():
                    self.save(checkpoint)
                for _, figures in self.history[logged:]:
                    latest |= figures
                    latest["photos/s"] = self.photos_seen / (time.perf_counter() - started)
                    progress.set_postfix(_shown(latest), refresh=False)
                progress.update(1)
        seconds = max(time.perf_counter() - started, 1e-9)
        return TrainingResult(
            model=self.learner.ema.model(self.monitor.best_weights()),
            history=self.history,
            seconds=seconds,
            photos_per_second=self.photos_seen / seconds,
            waiting=self.seconds_preparing / seconds,
        )

    def advance(self) -> None:
        """Take one step, and log its figures where they are due.

        Raises:
            TrainingError: a figure is not finite, or the monitor's alarm ends the training.
        """
        started = time.perf_counter()
        batch = self.sampler.batch(self.step)
        self.seconds_preparing += time.perf_counter() - started
        outputs, loss = self.learner.learn(batch, self.step)
        self.sampler.learn(outputs, batch)
        self.step += 1
        self.photos_seen += len(batch.images)
        if self._is_due(LOG_EVERY):
            rate = self.learner.last_learning_rate()
            self._report({"loss": loss, "learning_rate": rate, **self.monitor.look(self.step, outputs)})

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep the state, in the main process."""
        collectives.from_main(lambda: checkpoint.save(self.state()))
        self.saved_at = time.perf_counter()

    def state(self) -> State:
        """Return tensors and plain values from which `resume` makes this training again."""
        return {
            "processes": collectives.world_size(),
            "mixed_precision": mixed_precision(self.config),
            "threads": torch.get_num_threads(),
            "step": self.step,
            "history": self.history,
            "learner": self.learner.state(),
            "sampler": self.sampler.state(),
            "monitor": self.monitor.state(),
        }

    def resume(self, checkpoint: Checkpoint | None) -> None:
        """Go on from the state that `checkpoint` holds, if it holds one.

        On a CPU another number of threads than before is a warning: sums then have another order.

        Raises:
            TrainingError: it is another training's, or damaged, or of another number of processes, whose batches
                would be others, or of another mixed_precision.
        """
        state = None if checkpoint is None else collectives.from_main(checkpoint.load)
        if checkpoint is None or state is None:
            return
        self._check_fits(state, checkpoint.url)
        self.learner.load(state["learner"])
        self.sampler.load(state["sampler"])
        self.monitor.load(state["monitor"])
        self.step = state["step"]
        self.history = [tuple(entry) for entry in state["history"]]
        machine, threads = self.learner.machine, torch.get_num_threads()
        if machine.is_main_process and machine.device.type == "cpu" and state["threads"] != threads:
            logger.warning(
                "The checkpoint %s was made with %d thread(s) and training goes on with %d: the weights may differ in "
                "their last bits from those of an unbroken training.",
                *(checkpoint.url, state["threads"], threads),
            )

    def _check_fits(self, state: State, url: str) -> None:
        if self.state().keys() - state.keys():
            raise TrainingError(
                f"The checkpoint {url} was made by an earlier version of this code: remove it to start afresh."
            )
        if state["processes"] != collectives.world_size():
            raise TrainingError(
                f"The checkpoint {url} is of a training in {state['processes']} process(es), and here are "
                f"{collectives.world_size()}: start as many, or remove it to start afresh."
            )
        before, now = state["mixed_precision"], mixed_precision(self.config)
        if before != now:
            raise TrainingError(
                f"The checkpoint {url} is of a training with `mixed_precision: {before}`, and here it comes "
                f"to {now}: set it to {before}, or remove the checkpoint to start afresh."
            )

    def _report(self, figures: Figures) -> None:
        """Log the figures of this step, in the main process."""
        self.history.append((self.step, figures))
        collectives.from_main(lambda: self.log and self.log(self.step, figures))

    def _is_due(self, every: int) -> bool:
        return self.step == self.config.steps or (every > 0 and self.step % every == 0)

    def _checkpoint_is_due(self) -> bool:
        """Return whether enough steps were taken, or enough time passed, which the main process alone measures."""
        if self._is_due(self.config.checkpoint_every):
            return True
        if not self._is_due(LOG_EVERY):  # processes meet there anyway
            return False
        return collectives.from_main(lambda: time.perf_counter() - self.saved_at >= CHECKPOINT_SECONDS)


def _shown(figures: Figures) -> dict[str, str]:
    """Format the figures that the progress bar has room for."""
    shown = {name: f"{value:.3f}" for name, value in figures.items() if name == "loss" or "validation" in name}
    return shown | {"photos/s": f"{figures['photos/s']:.0f}"}
