"""One of two processes that train together; `test_processes.py` starts both and looks at what each leaves.

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
from discern.learning import trainer as steps
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig, TrainingConfig
from discern.learning.loop import train
from discern.learning.losses import Batch, DistillObjective, MetricObjective, SameImages
from discern.learning.models import TorchEmbedder
from discern.learning.trainer import Run
from tests.discern import toy
from tests.discern.learning.test_loop import EVERYTHING, MARK, TURNS, StopError, objective

RANK = int(os.environ.get("RANK", "0"))
FULL = toy.config(**EVERYTHING, steps=6, device="cpu")
SMALL = toy.config(steps=6, device="cpu", classes_per_batch=2)


def drawn(config: TrainingConfig) -> MetricObjective:
    """A loss of which each process draws proxies of its own."""
    torch.manual_seed(7 + RANK)
    return objective(config, 4 * TURNS[config.symmetries])


def outcome(config: TrainingConfig, part: nn.Module, **options: Any) -> dict[str, Any]:
    """What comes of a training."""
    result = train(config, toy.photo_set(), part, name="test", **options)
    return {"model": result.model.state_dict(), "objective": part.state_dict(), "history": result.history}


def failure(config: TrainingConfig, part: nn.Module, **options: Any) -> str:
    """The error that a training ends with."""
    try:
        train(config, toy.photo_set(), part, name="test", **options)
    except (TrainingError, StopError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


class Recorder(nn.Module):
    """An objective that remembers what it was given, and what a loss that samples would have drawn."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part
        self.batch: Batch | None = None
        self.drawn = torch.empty(0)

    def forward(self, embeddings: Tensor, batch: Batch) -> Tensor:
        self.batch = batch
        loss: Tensor = self.part(embeddings, batch)
        self.drawn = torch.rand(3)
        return loss


def first_step(_: Path) -> dict[str, Any]:
    """What goes into a step and what comes of it."""
    config = SMALL.model_copy(update={"loss": FULL.loss, "clip_norm": 1e9})
    part = Recorder(drawn(config))
    run = Run(config, toy.photo_set(), part, None)
    model = run.accelerator.unwrap_model(run.model)
    before = [{name: tensor.clone() for name, tensor in module.state_dict().items()} for module in (model, part.part)]
    run.advance()
    gradients = [parameter.grad for module in (model, part) for parameter in module.parameters()]
    given = {"batch": vars(part.batch), "before": before, "drawn": part.drawn}
    return {**given, "gradients": gradients, "after": model.state_dict()}


def three_steps(_: Path) -> dict[str, Any]:
    """All that a process holds in the middle of a training."""
    run = Run(FULL, toy.photo_set(), drawn(FULL), None)
    for _step in range(3):
        run.advance()
    return run.state()


class Uneven(nn.Module):
    """A loss that the processes do not compute alike, as GPUs round differently: 2 * RANK is its weight's gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, embeddings: Tensor, batch: Batch) -> Tensor:
        return embeddings[:, 0].mean() + 2 * RANK * self.weight.sum()


def uneven(_: Path) -> list[Tensor | None]:
    part = Uneven()
    outcome(SMALL.model_copy(update={"steps": 1}), part)
    return [part.weight.detach(), part.weight.grad]


def unbroken(folder: Path) -> dict[str, Any]:
    """A whole training; each process has a disk of its own."""
    logged: list[int] = []
    asked: list[TorchEmbedder] = []

    def validate(model: TorchEmbedder) -> float:
        asked.append(model)
        return 0.5

    checkpoint = Checkpoint(str(folder / f"unbroken-{RANK}.pt"), MARK)
    came = outcome(FULL, drawn(FULL), log=lambda step, _: logged.append(step), validate=validate, checkpoint=checkpoint)
    return {**came, "logged": logged, "asked": len(asked)}


def resumed(folder: Path) -> dict[str, Any]:
    """The same, stopped in the main process at step 5, and taken up again from step 3."""
    checkpoint = Checkpoint(str(folder / f"resumed-{RANK}.pt"), MARK)
    asked: list[TorchEmbedder] = []

    def stop(model: TorchEmbedder) -> float:
        asked.append(model)
        if len(asked) == 5:
            raise StopError("at step 5")
        return 0.5

    stopped = failure(FULL, drawn(FULL), validate=stop, checkpoint=checkpoint)
    return {"stopped": stopped, **outcome(FULL, drawn(FULL), validate=lambda _: 0.5, checkpoint=checkpoint)}


def patient(_: Path) -> dict[str, Any]:
    recalls = iter([0.5, 0.7, 0.6, 0.7, 0.9])
    config = SMALL.model_copy(update={"steps": 40, "validate_every": 1, "patience": 2})
    return outcome(config, drawn(config), validate=lambda _: next(recalls))


def student(_: Path) -> dict[str, Any]:
    """A student whose teacher sees what it sees, and what the teacher makes of all images."""
    torch.manual_seed(3)
    teacher = TorchEmbedder(SMALL.model).eval()
    shared = SameImages(teacher, "no")
    part = Recorder(DistillObjective(shared, DistillConfig(metric=1.0), drawn(SMALL)))
    came = outcome(SMALL.model_copy(update={"steps": 1}), part)
    assert part.batch is not None
    own = teacher(part.batch.images).detach()
    return {**came, "own": own, "all": shared(part.batch)}


class BrokenInOne(nn.Module):
    """A loss that is fine but for the third step of the second process."""

    def __init__(self, loss: float = 1.0, gradient: float = 1.0) -> None:
        super().__init__()
        self.loss, self.gradient, self.steps = loss, gradient, 0

    def forward(self, embeddings: Tensor, batch: Batch) -> Tensor:
        self.steps += 1
        if self.steps != 3 or RANK == 0:
            return embeddings[:, 0].mean()
        embeddings.register_hook(lambda grad: grad * self.gradient)
        return embeddings[:, 0].mean() * self.loss


def collapsed(_: Path) -> str:
    """Every rank is too low for this one."""
    steps.LOG_EVERY = 1
    return failure(SMALL.model_copy(update={"least_rank": 1000.0, "warmup": 0.0}), drawn(SMALL))


def of_one_process(folder: Path) -> str:
    return failure(FULL, drawn(FULL), checkpoint=Checkpoint(str(folder / "of-one-process.pt"), MARK))


SCENES: dict[str, Callable[[Path], Any]] = {
    "first step": first_step,
    "three steps": three_steps,
    "uneven": uneven,
    "unbroken": unbroken,
    "resumed": resumed,
    "patient": patient,
    "student": student,
    "nan loss": lambda _: failure(SMALL, BrokenInOne(loss=math.nan)),
    "nan gradient": lambda _: failure(SMALL, BrokenInOne(gradient=math.nan)),
    "of one process": of_one_process,
    "collapsed": collapsed,
}


def main(folder: Path) -> None:
    """Play every scene, and leave what came of it in FOLDER."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    torch.save({name: scene(folder) for name, scene in SCENES.items()}, folder / f"found-{RANK}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
