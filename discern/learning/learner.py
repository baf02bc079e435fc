"""A model in training: one optimisation step, and the state between two steps.

Several processes (`discern.learning.distributed.collectives`) hold the same state after every step:
- each draws a batch of its own and computes a loss of it;
- gradients are averaged, and so are the running statistics of batch norms, each of which normalises by its own photos.
"""

from __future__ import annotations

import copy
from typing import Any, Generic

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from discern.learning.config import LoopConfig
from discern.learning.distributed import collectives
from discern.learning.ema import Ema, ModelT
from discern.learning.monitor import check_finite
from discern.learning.optimisation import learning_rate, parameter_groups
from discern.learning.ports import Batch, State
from discern.learning.seeds import LEARNING, process_seed, step_seed


class Learner(Generic[ModelT]):
    """A model, its objective, its optimiser and the moving average of its weights.

    Args:
        config: steps, learning rates and seed.
        machine: the accelerator of this training.
        model: takes the images of a batch; trained from here on.
        objective: (outputs of the model, batch) -> loss. Its parameters are trained too.
    """

    def __init__(self, config: LoopConfig, machine: Accelerator, model: ModelT, objective: nn.Module) -> None:
        self.config, self.machine = config, machine
        blank = copy.deepcopy(model)
        optimizer = torch.optim.AdamW(parameter_groups(model, objective, config))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(step, config))
        # Proxies may have been drawn at random in each process.
        objective.load_state_dict(collectives.from_main(objective.state_dict))
        self.model, self.optimizer = machine.prepare(model, optimizer)
        # Not prepared: it computes in float32, since bfloat16 has but 8 bits to tell look-alikes' cosines by, and
        # DistributedDataParallel takes no loss that has no parameters: `_backward` averages.
        self.objective = objective.to(machine.device)
        self.ema = Ema(blank, self._bare_model(), config.ema_decay)

    def learn(self, batch: Batch, step: int) -> tuple[Any, float]:
        """Take step number `step`.

        Returns:
            What the model made of the batch, and the mean loss over the processes.

        Raises:
            TrainingError: the loss or a gradient is not finite.
        """
        outputs, loss = self._forward(batch, step)
        value = _mean_over_processes(loss)
        check_finite("loss", value, step, batch)
        norm = self._backward(loss)
        if self.machine.scaler is None:  # the scaler of fp16 skips such a step by itself
            check_finite("gradient", norm, step, batch)
        self._update()
        return outputs, value

    def last_learning_rate(self) -> float:
        """Return the learning rate of the model's weights that the schedule has set."""
        return float(self.schedule.get_last_lr()[0])

    def state(self) -> State:
        """Return tensors and plain values from which `load` makes this learner again."""
        scaler = self.machine.scaler
        return {
            "model": self._bare_model().state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": {} if scaler is None else scaler.state_dict(),
            "ema": self.ema.state(),
        }

    def load(self, state: State) -> None:
        """Go on from an earlier `state`."""
        self._bare_model().load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.machine.scaler is not None:
            self.machine.scaler.load_state_dict(state["scaler"])
        self.ema.load(state["ema"])

    def _bare_model(self) -> nn.Module:
        """The model without the wrapper of several processes."""
        return self.machine.unwrap_model(self.model)

    def _forward(self, batch: Batch, step: int) -> tuple[Any, Tensor]:
        self.model.train()
        # Dropout differs between processes; losses and miners that sample draw the same in all.
        torch.manual_seed(step_seed(process_seed(self.config.seed, self.machine.process_index), step, LEARNING))
        with self.machine.autocast():
            outputs = self.model(batch.images)
        torch.manual_seed(step_seed(self.config.seed, step, LEARNING))
        return outputs, self.objective(outputs, batch)

    def _backward(self, loss: Tensor) -> float:
        """Compute the gradients and clip them; returns the norm that they had."""
        self.optimizer.zero_grad(set_to_none=True)
        self.machine.backward(loss)
        collectives.average(part.grad for part in self.objective.parameters() if part.grad is not None)
        return float(self.machine.clip_grad_norm_(self.model.parameters(), self.config.clip_norm))

    def _update(self) -> None:
        self.optimizer.step()
        self.schedule.step()
        collectives.average(buffer for name, buffer in self.model.named_buffers() if "running_" in name)
        self.ema.update(self._bare_model())


def _mean_over_processes(loss: Tensor) -> float:
    mean = loss.detach().clone()
    collectives.average([mean])
    return float(mean)
