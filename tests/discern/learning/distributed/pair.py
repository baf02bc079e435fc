"""One of two processes that train together; `test_collectives.py` starts both and looks at what each leaves.

Usage: python -m tests.discern.learning.distributed.pair FOLDER, in the environment that torchrun would give it.
"""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from discern.errors import TrainingError
from discern.learning import trainer
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig, TrainingConfig
from discern.learning.embedding import embedder_trainer
from discern.learning.losses import DistillationLoss, LabelledBatch, MetricLoss, SameImages
from discern.learning.models import TorchEmbedder
from discern.learning.monitor import Validate
from discern.learning.ports import Log
from tests.discern import toy
from tests.discern.learning import box_task
from tests.discern.learning.box_task import BoxBatch
from tests.discern.learning.test_embedding import EVERYTHING, FINGERPRINT, TURNS, metric_loss

RANK = int(os.environ.get("RANK", "0"))
FULL = toy.config(**EVERYTHING, steps=6, device="cpu")
SMALL = toy.config(steps=6, device="cpu", classes_per_batch=2)


def drawn(config: TrainingConfig) -> MetricLoss:
    """A loss of which each process draws proxies of its own."""
    torch.manual_seed(7 + RANK)
    return metric_loss(config, 4 * TURNS[config.symmetries])


class StopError(Exception):
    """Raised in the middle of a training."""


def trainer_of(
    config: TrainingConfig, loss: nn.Module, log: Log | None = None, validate: Validate | None = None
) -> Any:
    """The trainer of an embedder on the toy's photos."""
    return embedder_trainer(config, toy.PREPROCESSING, toy.photo_set(), loss, log=log, validate=validate)


def outcome(
    config: TrainingConfig, loss: nn.Module, checkpoint: Checkpoint | None = None, **options: Any
) -> dict[str, Any]:
    """The end of a training."""
    result = trainer_of(config, loss, **options).run("test", checkpoint)
    return {"model": result.model.state_dict(), "loss": loss.state_dict(), "history": result.history}


def failure(config: TrainingConfig, loss: nn.Module, checkpoint: Checkpoint | None = None, **options: Any) -> str:
    """The error that a training ends with."""
    return error_of(lambda: trainer_of(config, loss, **options).run("test", checkpoint))


def error_of(train: Callable[[], object]) -> str:
    try:
        train()
    except (TrainingError, StopError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


class Recorder(nn.Module):
    """A loss that remembers its batch, and the numbers that a loss that samples would have drawn."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.batch: LabelledBatch | None = None
        self.drawn = torch.empty(0)

    def forward(self, embeddings: Tensor, batch: LabelledBatch) -> Tensor:
        self.batch = batch
        value: Tensor = self.loss(embeddings, batch)
        self.drawn = torch.rand(3)
        return value


def first_step(_: Path) -> dict[str, Any]:
    """The inputs of a step and its results."""
    config = SMALL.model_copy(update={"loss": FULL.loss, "clip_norm": 1e9})
    recorder = Recorder(drawn(config))
    training = trainer_of(config, recorder)
    model = training.learner.machine.unwrap_model(training.learner.model)
    modules = (model, recorder.loss)
    before = [{name: tensor.clone() for name, tensor in module.state_dict().items()} for module in modules]
    training.advance()
    gradients = [parameter.grad for module in modules for parameter in module.parameters()]
    inputs = {"batch": vars(recorder.batch), "before": before, "drawn": recorder.drawn}
    return {**inputs, "gradients": gradients, "after": model.state_dict()}


def three_steps(_: Path) -> dict[str, Any]:
    """All that a process holds in the middle of a training."""
    training = trainer_of(FULL, drawn(FULL))
    for _step in range(3):
        training.advance()
    return training.state()


class Uneven(nn.Module):
    """A loss that the processes do not compute alike, as GPUs round differently: 2 * RANK is its weight's gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, embeddings: Tensor, batch: LabelledBatch) -> Tensor:
        return embeddings[:, 0].mean() + 2 * RANK * self.weight.sum()


def uneven(_: Path) -> list[Tensor | None]:
    loss = Uneven()
    outcome(SMALL.model_copy(update={"steps": 1}), loss)
    return [loss.weight.detach(), loss.weight.grad]


def unbroken(folder: Path) -> dict[str, Any]:
    """A whole training; each process has a disk of its own."""
    logged: list[int] = []
    validated: list[TorchEmbedder] = []

    def validate(model: TorchEmbedder) -> float:
        validated.append(model)
        return 0.5

    checkpoint = Checkpoint(str(folder / f"unbroken-{RANK}.pt"), FINGERPRINT)
    end = outcome(FULL, drawn(FULL), log=lambda step, _: logged.append(step), validate=validate, checkpoint=checkpoint)
    return {**end, "logged": logged, "validated": len(validated)}


def resumed(folder: Path) -> dict[str, Any]:
    """The same, stopped in the main process at step 5, and taken up again from step 3."""
    checkpoint = Checkpoint(str(folder / f"resumed-{RANK}.pt"), FINGERPRINT)
    validations = 0

    def stop(_: TorchEmbedder) -> float:
        nonlocal validations
        validations += 1
        if validations == 5:
            raise StopError("at step 5")
        return 0.5

    stopped = failure(FULL, drawn(FULL), validate=stop, checkpoint=checkpoint)
    return {"stopped": stopped, **outcome(FULL, drawn(FULL), validate=lambda _: 0.5, checkpoint=checkpoint)}


def patient(_: Path) -> dict[str, Any]:
    scores = iter([0.5, 0.7, 0.6, 0.7, 0.9])
    config = box_task.config(steps=40, validate_every=1, patience=2)
    result = box_task.trainer(config, validate=lambda _: next(scores)).run("boxes")
    return {"model": result.model.state_dict(), "history": result.history}


def student(_: Path) -> dict[str, Any]:
    """A student whose teacher sees the same images, and the teacher's embeddings of all images."""
    torch.manual_seed(3)
    teacher = TorchEmbedder(SMALL.model, toy.PREPROCESSING).eval()
    shared = SameImages(teacher, "no")
    recorder = Recorder(DistillationLoss(shared, DistillConfig(metric=1.0), drawn(SMALL)))
    end = outcome(SMALL.model_copy(update={"steps": 1}), recorder)
    assert recorder.batch is not None
    share = teacher(recorder.batch.images).detach()
    return {**end, "share": share, "all": shared(recorder.batch)}


class BrokenInOne(nn.Module):
    """An objective that is fine but for the third step of the second process."""

    def __init__(self, loss: float = 1.0, gradient: float = 1.0) -> None:
        super().__init__()
        self.loss, self.gradient, self.steps = loss, gradient, 0

    def forward(self, outputs: dict[str, Tensor], batch: BoxBatch) -> Tensor:
        self.steps += 1
        boxes = outputs["boxes"]
        if self.steps != 3 or RANK == 0:
            return boxes.mean()
        boxes.register_hook(lambda gradient: gradient * self.gradient)
        return boxes.mean() * self.loss


def broken(objective: BrokenInOne) -> str:
    return error_of(lambda: box_task.trainer(box_task.config(), objective=objective).run("boxes"))


def collapsed(_: Path) -> str:
    """Every rank is too low for this threshold."""
    trainer.LOG_EVERY = 1
    return failure(SMALL.model_copy(update={"least_rank": 1000.0, "warmup": 0.0}), drawn(SMALL))


def of_one_process(folder: Path) -> str:
    return failure(FULL, drawn(FULL), checkpoint=Checkpoint(str(folder / "of-one-process.pt"), FINGERPRINT))


SCENES: dict[str, Callable[[Path], Any]] = {
    "first step": first_step,
    "three steps": three_steps,
    "uneven": uneven,
    "unbroken": unbroken,
    "resumed": resumed,
    "patient": patient,
    "student": student,
    "nan loss": lambda _: broken(BrokenInOne(loss=math.nan)),
    "nan gradient": lambda _: broken(BrokenInOne(gradient=math.nan)),
    "of one process": of_one_process,
    "collapsed": collapsed,
}


def main(folder: Path) -> None:
    """Play every scene, and leave the results in FOLDER."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    torch.save({name: scene(folder) for name, scene in SCENES.items()}, folder / f"results-{RANK}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
