"""The training loop: teachers and students, on a CPU, a GPU or several.

Rules kept:
- a step is a pure function of the state before it, the seed and its number, so a resumed run ends where an unbroken one
  would have;
- the model that comes out is the moving average of the weights;
- a loss or a gradient that is not finite ends the training with the number of its step, before it reaches the weights,
  and the last checkpoint stays.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from discern.errors import TrainingError
from discern.learning.augment import augment, to_float
from discern.learning.batches import BatchSampler, PhotoSet, step_generator
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import TrainingConfig
from discern.learning.models import EmbeddingModel, memory_format
from discern.progress import bar
from edge_runtime.images import Pixels

Log = Callable[[int, dict[str, float]], None]
Validate = Callable[[EmbeddingModel], float]
LOG_EVERY = 10  # steps


@dataclass
class TrainingResult:
    """What came out of a training.

    Attributes:
        model: the averaged model, in evaluation mode, on the CPU.
        history: (step, figures) as they were logged.
        seconds: wall time of the steps taken in this process.
        photos_per_second: training throughput of this process.
        waiting: share of the time spent on preparing batches.
    """

    model: EmbeddingModel
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    seconds: float = 0.0
    photos_per_second: float = 0.0
    waiting: float = 0.0


def train(
    config: TrainingConfig,
    photos: PhotoSet,
    objective: nn.Module,
    *,
    name: str,
    log: Log | None = None,
    validate: Validate | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train a model on `photos`.

    Args:
        config: the model and how it is trained.
        photos: the training photos.
        objective: (embeddings [n, d], labels [n], photo numbers [n]) -> loss; its parameters are trained too.
        name: what the progress bar calls it.
        log: called with step and figures every few steps.
        validate: gives a figure of the averaged model, logged as `validation_recall_at_1`.
        checkpoint: where the state is kept; None keeps none.

    Raises:
        TrainingError: the config does not fit the data or the machine, or the loss is not finite.
    """
    run = _Run(config, photos, objective, log)
    run.resume(checkpoint)
    started, first = time.perf_counter(), run.step
    with bar(total=config.steps, initial=first, name=name, unit="step") as progress:
        while run.step < config.steps:
            loss = run.advance()
            progress.update(1)
            if run.step % LOG_EVERY == 0 or run.step == config.steps:
                progress.set_postfix(loss=f"{loss:.3f}", refresh=False)
            if validate is not None and _is_due(run.step, config.validate_every, config.steps):
                run.report({"validation_recall_at_1": validate(run.averaged())})
            if checkpoint is not None and _is_due(run.step, config.checkpoint_every, config.steps):
                checkpoint.save(run.state())
    seconds = time.perf_counter() - started
    taken = max(1, run.step - first)
    return TrainingResult(
        model=run.averaged(),
        history=run.history,
        seconds=seconds,
        photos_per_second=taken * config.classes_per_batch * config.photos_per_class / max(seconds, 1e-9),
        waiting=run.preparing / max(seconds, 1e-9),
    )


class _Run:
    """The state of one training, and one step of it."""

    def __init__(self, config: TrainingConfig, photos: PhotoSet, objective: nn.Module, log: Log | None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.log = config, log
        self.accelerator = _accelerator(config)
        self.device = self.accelerator.device
        # Every process of a multi-GPU run draws batches of its own.
        self.seed = config.seed + 1_000_003 * self.accelerator.process_index
        self.labels, _ = photos.class_ids()
        self.pixels = photos.pixels
        self.sampler = BatchSampler(self.labels, config.classes_per_batch, config.photos_per_class, self.seed)
        model = EmbeddingModel(config.model).to(memory_format=memory_format(config.model))
        optimizer = torch.optim.AdamW(_parameter_groups(model, objective, config))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _learning_rate(step, config))
        self.model, self.objective, self.optimizer = self.accelerator.prepare(
            model, objective.to(self.device), optimizer
        )
        self.ema = AveragedModel(
            self.accelerator.unwrap_model(self.model),
            multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay),
            use_buffers=True,
        )
        self.step = 0
        self.preparing = 0.0
        self.history: list[tuple[int, dict[str, float]]] = []

    def advance(self) -> float:
        """Take one step; returns its loss."""
        started = time.perf_counter()
        chosen = self.sampler.batch(self.step)
        images = augment(
            torch.from_numpy(self.pixels[chosen]).to(self.device),
            self.config.augment,
            step_generator(self.seed, self.step, self.device),
        )
        self.preparing += time.perf_counter() - started
        loss = self._learn(images, chosen)
        self.step += 1
        if self.step % LOG_EVERY == 0 or self.step == self.config.steps:
            self.report({"loss": loss, "learning_rate": float(self.schedule.get_last_lr()[0])})
        return loss

    def report(self, figures: dict[str, float]) -> None:
        self.history.append((self.step, figures))
        if self.log is not None:
            self.log(self.step, figures)

    def averaged(self) -> EmbeddingModel:
        """A copy of the averaged model, in evaluation mode, on the CPU."""
        model = EmbeddingModel(self.config.model.model_copy(update={"pretrained": False, "weights": None}))
        model.load_state_dict(self.ema.module.state_dict())
        return model.eval()

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "model": self.accelerator.unwrap_model(self.model).state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "ema": self.ema.state_dict(),
            "history": self.history,
        }

    def resume(self, checkpoint: Checkpoint | None) -> None:
        state = None if checkpoint is None else checkpoint.load()
        if state is None:
            return
        self.accelerator.unwrap_model(self.model).load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.ema.load_state_dict(state["ema"])
        self.step, self.history = state["step"], [tuple(entry) for entry in state["history"]]

    def _learn(self, images: Tensor, chosen: NDArray[np.int64]) -> float:
        self.model.train()
        # Dropout, and losses and miners that sample, draw from the global generator.
        torch.manual_seed(_mixed_seed(self.seed, self.step))
        labels = torch.from_numpy(self.labels[chosen]).to(self.device)
        with self.accelerator.autocast():
            embeddings = self.model(images)
        loss = self.objective(embeddings.float(), labels, torch.from_numpy(chosen).to(self.device))
        value = float(loss.detach())
        self._check_finite("loss", value, chosen)
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        if self.accelerator.scaler is None:  # the scaler of fp16 skips such a step by itself
            self._check_finite("gradient", float(norm), chosen)
        self.optimizer.step()
        self.schedule.step()
        self.ema.update_parameters(self.accelerator.unwrap_model(self.model))
        return value

    def _check_finite(self, what: str, value: float, chosen: NDArray[np.int64]) -> None:
        if not math.isfinite(value):
            raise TrainingError(
                f"The {what} is {value} at step {self.step} (photos {chosen[:4].tolist()} and so on): lower the "
                "learning rate; the last checkpoint is kept."
            )


@torch.no_grad()
def embed(model: EmbeddingModel, pixels: Pixels, batch: int = 256) -> Tensor:
    """Embed photos as they are: `pixels` [n, size, size, 3] uint8 to [n, d] on the CPU, in evaluation mode."""
    device = next(model.parameters()).device
    layout = memory_format(model.config)
    training = model.training
    model.eval()
    parts = []
    for start in range(0, len(pixels), batch):
        # What Pillow gives cannot be written to, of which torch warns.
        writable = np.require(pixels[start : start + batch], requirements="W")
        photos = to_float(torch.from_numpy(writable).to(device))
        parts.append(model(photos.contiguous(memory_format=layout)).cpu())
    model.train(training)
    return torch.cat(parts) if parts else torch.empty(0, model.config.embedding_dim)


def _accelerator(config: TrainingConfig) -> Accelerator:
    # accelerate keeps one state a process, and refuses a second training with another precision.
    AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision=config.mixed_precision)
    if config.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise TrainingError("`mixed_precision: fp16` needs a GPU, and there is none here: use `bf16` or `no`.")
    return accelerator


def _mixed_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence((seed, step, 2)).generate_state(1, np.uint64)[0]) >> 1


def _parameter_groups(model: nn.Module, objective: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """Norms and biases are not decayed; the loss's own parameters (proxies) stand in a group of their own."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "lr": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": plain, "lr": config.learning_rate, "weight_decay": 0.0},
    ]
    if own := list(objective.parameters()):
        groups.append({"params": own, "lr": config.learning_rate * 10, "weight_decay": 0.0})
    return groups


def _learning_rate(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then half a cosine to 1 % of the peak; a factor of the learning rate."""
    warm = max(1, round(config.steps * config.warmup))
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, config.steps - warm)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def _is_due(step: int, every: int, last: int) -> bool:
    return step == last or (every > 0 and step % every == 0)
