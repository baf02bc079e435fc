"""The task of an embedder: train it on batches of P classes x K photos, and embed photos by it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from discern.datasets.photo_set import PhotoSet
from discern.errors import TrainingError, first_line
from discern.learning.augment import to_float
from discern.learning.batches import LEAST_CLASSES, PKSampler, Views
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import TrainingConfig
from discern.learning.device import accelerator, check_device, mixed_precision
from discern.learning.losses import EmbeddingObjective, LabelledBatch
from discern.learning.models import TorchEmbedder, memory_format
from discern.learning.monitor import CollapseAlarm, Monitor, Validate, Validation
from discern.learning.ports import Log
from discern.learning.trainer import Trainer, TrainingResult
from edge_runtime.core.images import Pixels, Preprocessing

logger = logging.getLogger(__name__)


def embedder_trainer(
    config: TrainingConfig,
    preprocessing: Preprocessing,
    photos: PhotoSet,
    loss: nn.Module,
    *,
    log: Log | None = None,
    validate: Validate | None = None,
) -> Trainer[LabelledBatch, TorchEmbedder]:
    """Make the trainer of a new embedder; in several processes, call it with the same arguments in all of them.

    Args:
        config: the model and how it is trained.
        preprocessing: made `photos`, and goes with the model.
        photos: the training photos.
        loss: ([n, d] embeddings, `LabelledBatch`) -> loss; its parameters are trained too. In several processes the
            embeddings, labels and views are those of all, the images this process's own.
        log: called with step and figures every few steps, in the main process.
        validate: gives recall@1 of the averaged model; called in the main process alone.

    Raises:
        TrainingError: the config does not fit the data or the machine.
    """
    check_device(config)
    torch.manual_seed(config.seed)
    model = TorchEmbedder(config.model, preprocessing).to(memory_format=memory_format(config.model))
    check_input(model)
    # What `auto` comes to hangs on the net: from here on the config states it, in checkpoints too.
    config = config.model_copy(update={"mixed_precision": mixed_precision(config, model)})
    machine = accelerator(config)
    sampler = PKSampler(Views.of(photos, config.symmetries), config, machine.device, machine.process_index)
    two_classes = sampler.draws.classes_per_batch == LEAST_CLASSES
    monitor = Monitor(
        CollapseAlarm(config.least_rank, config.steps * config.warmup, two_classes=two_classes),
        None if validate is None else Validation("recall_at_1", validate),
        config.patience,
    )
    return Trainer(config, machine, model, EmbeddingObjective(loss), sampler, monitor, log)


def train_embedder(
    config: TrainingConfig,
    preprocessing: Preprocessing,
    photos: PhotoSet,
    loss: nn.Module,
    *,
    name: str,
    log: Log | None = None,
    validate: Validate | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult[TorchEmbedder]:
    """Train an embedder on `photos`, as `embedder_trainer` and `Trainer.run` say.

    Raises:
        TrainingError: the config does not fit the data or the machine, the loss is not finite, or the embeddings
            collapsed.
    """
    trainer = embedder_trainer(config, preprocessing, photos, loss, log=log, validate=validate)
    machine = trainer.learner.machine
    if machine.is_main_process:
        logger.info("The %s trains on %s; `mixed_precision` is %s.", name, machine.device, machine.mixed_precision)
    return trainer.run(name, checkpoint)


def embed(model: TorchEmbedder, pixels: Pixels, batch: int = 256) -> Tensor:
    """Embed unchanged photos: `pixels` [n, size, size, 3] uint8 to [n, d] on the CPU, in evaluation mode."""
    return _in_batches(model, model, pixels, batch, model.config.embedding_dim)


def extract_features(model: TorchEmbedder, pixels: Pixels, batch: int = 64) -> Tensor:
    """Return what the head of `model` is given for `pixels` [n, size, size, 3] uint8: [n, width], as `embed`."""
    return _in_batches(model, model.features, pixels, batch, model.head.in_features)


@torch.no_grad()
def _in_batches(
    model: TorchEmbedder, function: Callable[[Tensor], Tensor], pixels: Pixels, batch: int, width: int
) -> Tensor:
    """Apply `function` of `model` to all of `pixels`, in evaluation mode: [n, width]."""
    device = next(model.parameters()).device
    layout = memory_format(model.config)
    training = model.training
    model.eval()
    parts = []
    for start in range(0, len(pixels), batch):
        # Pillow's arrays cannot be written to, of which torch warns.
        writable = np.require(pixels[start : start + batch], requirements="W")
        photos = to_float(torch.from_numpy(writable).to(device))
        parts.append(function(photos.contiguous(memory_format=layout)).cpu())
    model.train(training)
    return torch.cat(parts) if parts else torch.empty(0, width)


def check_input(model: TorchEmbedder) -> None:
    """Embed two black photos, so that a net for another size or other channels fails before anything trains.

    Raises:
        TrainingError: it does.
    """
    size = model.preprocessing.size
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(2, 3, size, size).contiguous(memory_format=memory_format(model.config)))
    except Exception as error:  # noqa: BLE001  timm's nets raise several kinds
        # Transformers are made for one size, 224 or so, unless they are told another.
        takes_size = hasattr(getattr(model.backbone, "patch_embed", None), "img_size")
        mend = f"say `options: {{img_size: {size}}}`" if takes_size else "choose another `size`, `options` or backbone"
        raise TrainingError(
            f"timm's {model.config.backbone} cannot embed coloured photos of {size} x {size} pixels "
            f"({first_line(error)}): {mend}."
        ) from None
