"""The state of one training, and one step of it.

Several processes (`discern.learning.distributed.collectives`) train as one on a batch as many times as large, and hold
the same state after every step, which the main process keeps:
- each draws and embeds a batch of its own, and all compute the one loss of all embeddings, so that losses and miners
  see the classes of every process (pytorch-metric-learning's wrappers for this let miners draw differently in each,
  and give proxies as many times their gradient);
- gradients are averaged, and so are the running statistics of batch norms, each of which normalises by its own photos;
- the main process alone validates, logs and writes, and an error there ends the others too; what else ends a training,
  a figure that is not finite or embeddings that collapsed, is the same in all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from discern.datasets.photo_set import PhotoSet
from discern.errors import TrainingError, first_line
from discern.learning.augment import augment
from discern.learning.batches import BatchSampler, Views, step_generator
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import TrainingConfig
from discern.learning.device import accelerator, mixed_precision
from discern.learning.distributed import collectives
from discern.learning.effective_rank import effective_rank
from discern.learning.hard_classes import LookAlikes
from discern.learning.losses import Batch
from discern.learning.models import TorchEmbedder, memory_format, restored
from discern.learning.optimisation import learning_rate, parameter_groups

Log = Callable[[int, dict[str, float]], None]
Validate = Callable[[TorchEmbedder], float]
History = list[tuple[int, dict[str, float]]]
LOG_EVERY = 10  # steps
COLLAPSED = 3  # looks at the rank in a row: one batch alone may be of classes that are hard to tell


class Run:
    """One training; `state` is all that a later process needs to go on with it."""

    def __init__(self, config: TrainingConfig, photos: PhotoSet, objective: nn.Module, log: Log | None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.log = config, log
        self.accelerator = accelerator(config)
        self.device = self.accelerator.device
        # Every process draws batches of its own.
        self.seed = config.seed + 1_000_003 * self.accelerator.process_index
        self.views = Views.of(photos, config.symmetries)
        self.labels = self.views.class_ids()
        self.sampler = BatchSampler(self.labels, config.classes_per_batch, config.photos_per_class, self.seed)
        dim = config.model.embedding_dim
        self.lookalikes = LookAlikes(len(self.sampler.members), dim, config.lookalikes, config.seed, self.views.turns)
        model = TorchEmbedder(config.model).to(memory_format=memory_format(config.model))
        _check_size(model, photos.pixels.shape[1])
        optimizer = torch.optim.AdamW(parameter_groups(model, objective, config))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(step, config))
        # Proxies may have been drawn at random in each process.
        objective.load_state_dict(collectives.from_main(objective.state_dict))
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        # Not prepared: it computes in float32, since bfloat16 has but 8 bits to tell look-alikes' cosines by, and
        # DistributedDataParallel takes no loss that has no parameters: `_learn` averages.
        self.objective = objective.to(self.device)
        self.ema = AveragedModel(
            self.accelerator.unwrap_model(self.model),
            multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay),
            use_buffers=True,
        )
        self.step = 0
        self.preparing = 0.0
        self.collapsed = 0
        self.best: dict[str, Any] = {"recall": -math.inf, "worse": 0, "model": {}}
        self.history: History = []

    def advance(self) -> float:
        """Take one step; returns its loss.

        Raises:
            TrainingError: the loss or a gradient is not finite, or the embeddings collapsed.
        """
        started = time.perf_counter()
        chosen = self.sampler.batch(self.step, self.lookalikes if self.config.lookalikes else None)
        batch = self._batch(chosen)
        self.preparing += time.perf_counter() - started
        embeddings, loss = self._learn(batch)
        if self.config.lookalikes:
            self.lookalikes.update(embeddings, batch.labels)
        self.step += 1
        if self.step % LOG_EVERY == 0 or self.step == self.config.steps:
            rank = self._rank(embeddings)
            rate = float(self.schedule.get_last_lr()[0])
            self.report({"loss": loss, "learning_rate": rate, "effective_rank": rank})
        return loss

    def judge(self, validate: Validate) -> float:
        """Report the recall of the averaged model, and remember the model where it is the best so far."""
        recall = collectives.from_main(lambda: validate(self.averaged()))
        self.report({"validation_recall_at_1": recall})
        if not self.config.patience:
            return recall
        if recall > self.best["recall"]:
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.ema.module.state_dict().items()}
            self.best = {"recall": recall, "worse": 0, "model": weights}
        else:
            self.best["worse"] += 1
        return recall

    def is_stale(self) -> bool:
        """Whether the last validations brought nothing better."""
        return 0 < self.config.patience <= self.best["worse"]

    def report(self, figures: dict[str, float]) -> None:
        """Log the figures of this step, in the main process."""
        self.history.append((self.step, figures))
        collectives.from_main(lambda: self.log and self.log(self.step, figures))

    def averaged(self) -> TorchEmbedder:
        """A copy of the averaged model, in evaluation mode, on the CPU."""
        return restored(self.config.model, self.ema.module.state_dict())

    def outcome(self) -> TorchEmbedder:
        """The model that the training comes to: the averaged one, or with `patience` the best that was validated."""
        return restored(self.config.model, self.best["model"]) if self.best["model"] else self.averaged()

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep the state, in the main process."""
        collectives.from_main(lambda: checkpoint.save(self.state()))

    def state(self) -> dict[str, Any]:
        """Tensors and plain values of which `resume` makes this run again."""
        scaler = self.accelerator.scaler
        return {
            "processes": collectives.world_size(),
            "mixed_precision": mixed_precision(self.config),
            "step": self.step,
            "model": self.accelerator.unwrap_model(self.model).state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": {} if scaler is None else scaler.state_dict(),
            "ema": self.ema.state_dict(),
            "class_means": self.lookalikes.means,
            "best": self.best,
            "collapsed": self.collapsed,
            "history": self.history,
        }

    def resume(self, checkpoint: Checkpoint | None) -> None:
        """Go on from the state that `checkpoint` holds, if it holds one.

        Raises:
            TrainingError: it is another training's, or damaged, or of another number of processes, whose batches
                would be others, or of another mixed_precision.
        """
        state = None if checkpoint is None else collectives.from_main(checkpoint.load)
        if checkpoint is None or state is None:
            return
        if (before := state.get("processes", 1)) != collectives.world_size():
            raise TrainingError(
                f"The checkpoint {checkpoint.url} is of a training in {before} process(es), and here are "
                f"{collectives.world_size()}: start as many, or remove it to start afresh."
            )
        if (before := state.get("mixed_precision")) != mixed_precision(self.config):
            raise TrainingError(
                f"The checkpoint {checkpoint.url} is of a training with `mixed_precision: {before}`, and here it comes "
                f"to {mixed_precision(self.config)}: set it to {before}, or remove the checkpoint to start afresh."
            )
        self.accelerator.unwrap_model(self.model).load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.ema.load_state_dict(state["ema"])
        self.lookalikes.means = state["class_means"]
        self.step, self.best, self.collapsed = state["step"], state["best"], state["collapsed"]
        self.history = [tuple(entry) for entry in state["history"]]

    def _batch(self, chosen: NDArray[np.int64]) -> Batch:
        pixels = torch.from_numpy(self.views.pixels(chosen)).to(self.device)
        generator = step_generator(self.seed, self.step, self.device)
        labels, views = (
            collectives.gather(torch.from_numpy(ids).to(self.device)) for ids in (self.labels[chosen], chosen)
        )
        images = augment(pixels, self.config.augment, generator)
        return Batch(images.contiguous(memory_format=memory_format(self.config.model)), labels, views)

    def _learn(self, batch: Batch) -> tuple[Tensor, float]:
        self.model.train()
        torch.manual_seed(_mixed_seed(self.seed, self.step))  # of dropout
        with self.accelerator.autocast():
            own = self.model(batch.images)
        embeddings = collectives.gather(own.float())
        # Losses and miners that sample draw the same in every process.
        torch.manual_seed(_mixed_seed(self.config.seed, self.step))
        loss = self.objective(embeddings, batch)
        seen = loss.detach().clone()
        collectives.average([seen])
        value = float(seen)
        self._check_finite("loss", value, batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        collectives.average(part.grad for part in self.objective.parameters() if part.grad is not None)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        if self.accelerator.scaler is None:  # the scaler of fp16 skips such a step by itself
            self._check_finite("gradient", float(norm), batch)
        self.optimizer.step()
        self.schedule.step()
        collectives.average(buffer for name, buffer in self.model.named_buffers() if "running_" in name)
        self.ema.update_parameters(self.accelerator.unwrap_model(self.model))
        return embeddings.detach(), value

    def _rank(self, embeddings: Tensor) -> float:
        """The effective rank of a batch's embeddings; after the warm-up, several low ones in a row are an error."""
        rank = effective_rank(embeddings.cpu().numpy())
        warm = self.step > self.config.steps * self.config.warmup
        self.collapsed = self.collapsed + 1 if warm and rank < self.config.least_rank else 0
        if self.collapsed == COLLAPSED:
            raise TrainingError(
                f"The embeddings collapsed: at step {self.step} those of a whole batch are of effective rank "
                f"{rank:.2f}, under least_rank = {self.config.least_rank}; lower the learning rate, or use another "
                "loss or miner; the last checkpoint is kept."
            )
        return rank

    def _check_finite(self, what: str, value: float, batch: Batch) -> None:
        if not math.isfinite(value):
            photos = (batch.views[:4] // self.views.turns).tolist()
            raise TrainingError(
                f"The {what} is {value} at step {self.step} (photos {photos} and so on): lower the "
                "learning rate; the last checkpoint is kept."
            )


def _check_size(model: TorchEmbedder, size: int) -> None:
    """Embed two black photos, so that a net for another size or other channels says so before anything trains."""
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(2, 3, size, size).contiguous(memory_format=memory_format(model.config)))
    except Exception as error:  # noqa: BLE001  timm's nets raise several kinds
        raise TrainingError(
            f"timm's {model.config.backbone} cannot embed coloured photos of {size} x {size} pixels "
            f"({first_line(error)}): choose another `size`, `options` or backbone."
        ) from None


def _mixed_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence((seed, step, 2)).generate_state(1, np.uint64)[0]) >> 1
