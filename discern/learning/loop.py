"""The training loop: teachers and students, on a CPU, a GPU or several.

Rules kept:
- a step is a pure function of the state before it, the seed and its number, so a resumed run ends where an unbroken one
  would have: on a CPU to the bit, on a GPU as near as its sums in any order are to each other;
- the model that comes out is the moving average of the weights;
- a loss or a gradient that is not finite, or embeddings that fall together into one, end the training with the number
  of its step, before it reaches the checkpoint, and the last one stays;
- several processes (started by `discern.learning.distributed.launch`, or by `torchrun`) train as one on a batch as
  many times as large, and `discern.learning.trainer` says how; the learning rate is taken as it stands. An error in a
  step's figures, or in what the main process does alone, ends all of them; where one dies of itself, the launcher ends
  the rest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from discern.datasets.photo_set import PhotoSet
from discern.learning.augment import to_float
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import TrainingConfig
from discern.learning.models import TorchEmbedder, memory_format
from discern.learning.trainer import LOG_EVERY, History, Log, Run, Validate
from discern.progress import bar
from edge_runtime.core.images import Pixels


@dataclass
class TrainingResult:
    """What came out of a training.

    Attributes:
        model: the averaged model, in evaluation mode, on the CPU; with `patience`, the best that was validated.
        history: (step, figures) as they were logged.
        seconds: wall time of this process, validations and checkpoints too.
        photos_per_second: training throughput of this process, 0 where it took no step.
        waiting: share of the time spent on preparing batches.
    """

    model: TorchEmbedder
    history: History = field(default_factory=list)
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
    """Train a model on `photos`; in several processes, call it with the same arguments in all of them.

    Args:
        config: the model and how it is trained.
        photos: the training photos.
        objective: (embeddings [n, d], `discern.learning.losses.Batch`) -> loss; its parameters are trained too. In
            several processes the embeddings, labels and views are those of all, the images this process's own.
        name: what the progress bar calls it.
        log: called with step and figures every few steps, in the main process.
        validate: gives a figure of the averaged model, logged as `validation_recall_at_1`; also asked there alone.
        checkpoint: where the state is kept, by the main process; None keeps none.

    Raises:
        TrainingError: the config does not fit the data or the machine, the loss is not finite, or the embeddings
            collapsed.
    """
    run = Run(config, photos, objective, log)
    run.resume(checkpoint)
    started, first = time.perf_counter(), run.step
    shown: dict[str, str] = {}
    with bar(total=config.steps, initial=first, name=name, unit="step") as progress:
        while run.step < config.steps and not run.is_stale():
            loss = run.advance()
            progress.update(1)
            if _is_due(run.step, LOG_EVERY, config.steps):
                shown["loss"] = f"{loss:.3f}"
                shown["photos/s"] = f"{_photos(run.step - first, config) / (time.perf_counter() - started):.0f}"
                progress.set_postfix(shown, refresh=False)
            if validate is not None and _is_due(run.step, config.validate_every, config.steps):
                shown["recall@1"] = f"{run.judge(validate):.3f}"
            if checkpoint is not None and _is_due(run.step, config.checkpoint_every, config.steps):
                run.save(checkpoint)
    seconds = max(time.perf_counter() - started, 1e-9)
    return TrainingResult(
        model=run.outcome(),
        history=run.history,
        seconds=seconds,
        photos_per_second=_photos(run.step - first, config) / seconds,
        waiting=run.preparing / seconds,
    )


@torch.no_grad()
def embed(model: TorchEmbedder, pixels: Pixels, batch: int = 256) -> Tensor:
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


def _photos(steps: int, config: TrainingConfig) -> int:
    return steps * config.classes_per_batch * config.photos_per_class


def _is_due(step: int, every: int, last: int) -> bool:
    return step == last or (every > 0 and step % every == 0)
