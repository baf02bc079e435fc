"""The rules of a training, on a task that has nothing to do with embeddings: finding a box."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from discern.errors import TrainingError
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import LoopConfig
from discern.learning.trainer import TrainingResult
from tests.discern.learning import box_task
from tests.discern.learning.box_task import BoxBatch, BoxNet

FINGERPRINT = "0123456789abcdef"
# With a state in every part: sampler, objective, early stopping.
EVERYTHING: dict[str, Any] = {"checkpoint_every": 3, "validate_every": 1, "patience": 50}


class StopError(Exception):
    """Raised in the middle of a training."""


def train(
    config: LoopConfig, checkpoint: Checkpoint | None = None, **options: Any
) -> tuple[TrainingResult[BoxNet], dict[str, Tensor]]:
    """The result of a training, and the objective's own parameters."""
    trainer = box_task.trainer(config, **options)
    result = trainer.run("boxes", checkpoint)
    return result, trainer.learner.objective.state_dict()


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def equal(first: TrainingResult[BoxNet], second: TrainingResult[BoxNet]) -> bool:
    return same(first.model.state_dict(), second.model.state_dict())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(str(tmp_path / "state.pt"), FINGERPRINT)


def test_a_trainer_learns_a_task_with_boxes_as_targets() -> None:
    result, _ = train(box_task.config(steps=150))
    assert box_task.box_error(result.model) < 0.6 * box_task.box_error(
        box_task.trainer(box_task.config()).learner.model
    )
    losses = [figures["loss"] for _, figures in result.history]
    assert losses[-1] < losses[0]


def test_the_same_seed_gives_the_same_weights_to_the_bit() -> None:
    first, _ = train(box_task.config())
    assert equal(first, train(box_task.config())[0])
    assert not equal(first, train(box_task.config(seed=1))[0])


@pytest.mark.parametrize("stop", [1, 5, 12])
def test_a_training_stopped_at_any_step_resumes_to_the_same_weights_to_the_bit(
    checkpoint: Checkpoint, stop: int
) -> None:
    config = box_task.config(**EVERYTHING)
    validations = 0

    def validate(_: BoxNet) -> float:
        nonlocal validations
        validations += 1
        if validations == stop:
            raise StopError
        return validations % 4

    with pytest.raises(StopError):
        train(config, checkpoint, validate=validate, hard_first=True)
    state = checkpoint.load()
    validations = 100 if state is None else 100 + state["step"]  # divisible by 4, so that figures go on as they were
    resumed, resumed_objective = train(config, checkpoint, validate=validate, hard_first=True)
    validations = 100
    unbroken, unbroken_objective = train(config, validate=validate, hard_first=True)
    assert equal(resumed, unbroken)
    assert same(resumed_objective, unbroken_objective)
    assert resumed.history == unbroken.history


def test_a_finished_training_is_not_done_again(checkpoint: Checkpoint) -> None:
    steps: list[int] = []
    first, _ = train(box_task.config(), checkpoint, log=lambda step, _: steps.append(step))
    again, _ = train(box_task.config(), checkpoint, log=lambda step, _: steps.append(-step))
    assert equal(first, again)
    assert steps == [10, 12]
    assert again.photos_per_second == 0


def test_the_checkpoint_of_another_training_is_refused(checkpoint: Checkpoint) -> None:
    train(box_task.config(steps=1), checkpoint)
    with pytest.raises(TrainingError, match="belongs to another config"):
        train(box_task.config(steps=2), Checkpoint(checkpoint.url, "another"))


def test_the_checkpoint_of_an_earlier_version_is_refused_whole(checkpoint: Checkpoint) -> None:
    trainer = box_task.trainer(box_task.config())
    model = trainer.learner.model.state_dict()
    earlier = {"step": 6, "processes": 1, "mixed_precision": "no", "model": model, "best": {}, "history": []}
    checkpoint.save(earlier)
    before = {name: tensor.clone() for name, tensor in model.items()}
    with pytest.raises(TrainingError, match=r"state\.pt was made by an earlier version of this code: remove it to"):
        trainer.resume(checkpoint)
    assert trainer.step == 0
    assert same(trainer.learner.model.state_dict(), before)


def test_another_number_of_threads_is_a_warning(checkpoint: Checkpoint, caplog: pytest.LogCaptureFixture) -> None:
    train(box_task.config(), checkpoint)
    state = checkpoint.load()
    assert state is not None
    assert state["threads"] == torch.get_num_threads()
    with caplog.at_level(logging.WARNING):
        train(box_task.config(), checkpoint)
        assert caplog.messages == []
        checkpoint.save({**state, "threads": 7})
        train(box_task.config(), checkpoint)
    assert caplog.messages == [
        f"The checkpoint {checkpoint.url} was made with 7 thread(s) and training goes on with "
        f"{torch.get_num_threads()}: the weights may differ in their last bits from those of an unbroken training."
    ]


def test_a_slow_training_keeps_its_state_between_its_checkpoints(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = 20

    def log(step: int, _: dict[str, float]) -> None:
        if step == stop:
            raise StopError

    config = box_task.config(steps=30, checkpoint_every=25)
    with pytest.raises(StopError):
        train(config, checkpoint, log=log)
    assert checkpoint.load() is None
    monkeypatch.setattr("discern.learning.trainer.CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(StopError):
        train(config, checkpoint, log=log)
    state = checkpoint.load()
    assert state is not None
    assert state["step"] == 10
    stop = 0
    assert equal(train(config, checkpoint, log=log)[0], train(config)[0])


class Broken(nn.Module):
    """An objective that is fine but for one step."""

    def __init__(self, at: int, loss: float = 1.0, gradient: float = 1.0) -> None:
        super().__init__()
        self.at, self.loss, self.gradient, self.steps = at, loss, gradient, 0

    def forward(self, outputs: dict[str, Tensor], batch: BoxBatch) -> Tensor:
        self.steps += 1
        if self.steps != self.at:
            return outputs["boxes"].mean()
        outputs["boxes"].register_hook(lambda grad: grad * self.gradient)
        return outputs["boxes"].mean() * self.loss


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Broken(6, loss=math.nan), r"The loss is nan at step 5 \(photos \[\d+, \d+, \d+, \d+\] and so on\)"),
        (Broken(6, loss=math.inf), r"The loss is -?inf at step 5"),
        (Broken(6, gradient=math.nan), r"The gradient is nan at step 5"),
        (Broken(6, gradient=math.inf), r"The gradient is (nan|inf) at step 5"),
    ],
    ids=["nan loss", "infinite loss", "nan gradient", "infinite gradient"],
)
def test_a_figure_that_is_not_finite_ends_the_training_before_the_checkpoint(
    broken: Broken, message: str, checkpoint: Checkpoint
) -> None:
    with pytest.raises(TrainingError, match=message + ".*the last checkpoint is kept"):
        train(box_task.config(checkpoint_every=1), checkpoint, objective=broken)
    state = checkpoint.load()
    assert state is not None
    assert state["step"] == 5
    assert all(torch.isfinite(tensor).all() for tensor in state["learner"]["model"].values())
    assert all(torch.isfinite(tensor).all() for tensor in state["learner"]["ema"].values())


class Silent:
    """An alarm that ends the training at its second look."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self, step: int, outputs: dict[str, Tensor]) -> dict[str, float]:
        self.looks += 1
        if self.looks == 2:
            raise TrainingError(f"Too silent at step {step}.")
        return {"silence": float(outputs["boxes"].shape[0])}

    def state(self) -> dict[str, Any]:
        return {"looks": self.looks}

    def load(self, state: dict[str, Any]) -> None:
        self.looks = state["looks"]


def test_an_alarm_of_the_task_is_logged_kept_and_ends_the_training(checkpoint: Checkpoint) -> None:
    config = box_task.config(steps=40, checkpoint_every=10)
    trainer = box_task.trainer(config)
    trainer.monitor.alarm = Silent()
    with pytest.raises(TrainingError, match="Too silent at step 20"):
        trainer.run("boxes", checkpoint)
    assert [(step, figures["silence"]) for step, figures in trainer.history] == [(10, box_task.BATCH)]
    state = checkpoint.load()
    assert state is not None
    assert (state["step"], state["monitor"]["alarm"]) == (10, {"looks": 1})
    resumed = box_task.trainer(config)
    resumed.monitor.alarm = Silent()
    with pytest.raises(TrainingError, match="Too silent at step 20"):
        resumed.run("boxes", checkpoint)


def test_history_is_what_was_logged_and_validation_is_measured_when_due() -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    validated: list[BoxNet] = []

    def validate(model: BoxNet) -> float:
        validated.append(model)
        return len(validated) / 10

    config = box_task.config(steps=13, validate_every=5)
    result, _ = train(config, validate=validate, log=lambda step, figures: logged.append((step, figures)))
    assert result.history == logged
    assert [(step, sorted(figures)) for step, figures in logged] == [
        (5, ["validation_score"]),
        (10, ["learning_rate", "loss"]),
        (10, ["validation_score"]),
        (13, ["learning_rate", "loss"]),
        (13, ["validation_score"]),
    ]
    assert [figures["validation_score"] for _, figures in logged if len(figures) == 1] == [0.1, 0.2, 0.3]
    assert not any(model.training for model in validated)
    assert all(isinstance(value, float) for _, figures in logged for value in figures.values())


def test_validation_is_measured_at_the_end_where_no_interval_is_given() -> None:
    result, _ = train(box_task.config(steps=7), validate=lambda _: 0.25)
    assert [step for step, figures in result.history if "validation_score" in figures] == [7]


def test_validating_does_not_change_the_training() -> None:
    config = box_task.config(validate_every=1)

    def validate(model: BoxNet) -> float:
        torch.rand(5)
        for parameter in model.parameters():
            parameter.data.zero_()
        return 0.5

    assert equal(train(config, validate=validate)[0], train(config)[0])


def test_the_averaged_model_comes_out_in_evaluation_mode() -> None:
    slow, _ = train(box_task.config(steps=5, ema_decay=0.999))
    quick, _ = train(box_task.config(steps=5, ema_decay=0.0))
    assert not slow.model.training
    assert not equal(slow, quick)
    assert all(not parameter.is_cuda for parameter in slow.model.parameters())


def test_the_objectives_own_parameters_learn_at_their_own_rate() -> None:
    _, untouched = train(box_task.config(steps=3, loss_learning_rate=1e-9))
    _, learnt = train(box_task.config(steps=3, loss_learning_rate=1e-2))
    assert abs(untouched["log_scale"].item()) < 1e-6
    assert abs(learnt["log_scale"].item()) > 1e-3


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth() -> None:
    result, _ = train(box_task.config(steps=40, warmup=0.5, learning_rate=0.01))
    rates = {step: figures["learning_rate"] for step, figures in result.history}
    assert rates[10] == pytest.approx(0.01 * 11 / 20)
    assert rates[20] == pytest.approx(0.01)
    assert rates[30] == pytest.approx(0.01 * (0.01 + 0.99 / 2))
    assert rates[40] == pytest.approx(0.0001)


def test_figures_of_speed_are_there() -> None:
    result, _ = train(box_task.config())
    assert result.seconds > 0
    assert result.photos_per_second == pytest.approx(12 * box_task.BATCH / result.seconds)
    assert 0 < result.waiting < 1


def test_a_checkpoint_of_another_precision_is_refused(checkpoint: Checkpoint) -> None:
    train(box_task.config(steps=1, mixed_precision="bf16"), checkpoint)
    with pytest.raises(
        TrainingError, match="a training with `mixed_precision: bf16`, and here it comes to no: set it to"
    ):
        train(box_task.config(steps=2), checkpoint)


def test_a_checkpoint_of_another_number_of_processes_is_refused(checkpoint: Checkpoint) -> None:
    trainer = box_task.trainer(box_task.config())
    checkpoint.save({**trainer.state(), "processes": 2})
    with pytest.raises(TrainingError, match=r"is of a training in 2 process\(es\), and here are 1: start as many"):
        trainer.resume(checkpoint)


def test_trainings_of_one_process_may_differ_in_precision() -> None:
    plain, _ = train(box_task.config(steps=2))
    brain, _ = train(box_task.config(steps=2, mixed_precision="bf16"))
    assert not equal(plain, brain)
    assert all(tensor.dtype != torch.bfloat16 for tensor in brain.model.state_dict().values())
    assert brain.model(torch.zeros(1, 3, box_task.SIDE, box_task.SIDE))["boxes"].dtype == torch.float32
    assert equal(train(box_task.config(steps=2))[0], plain)


def test_half_precision_without_a_gpu_is_an_error() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(TrainingError, match="`mixed_precision: fp16` needs a GPU, and there is none here"):
        train(box_task.config(mixed_precision="fp16"))
    train(box_task.config(steps=1))  # nothing of it sticks


def test_a_gpu_that_is_wanted_and_not_there_is_an_error() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(TrainingError, match="`device: gpu` needs a GPU that torch can use, and there is none here"):
        train(box_task.config(device="gpu"))


def test_without_patience_the_training_runs_to_its_end_and_the_last_average_comes_out() -> None:
    config = box_task.config(steps=8, validate_every=2)
    scores = iter([0.9, 0.1, 0.1, 0.1])
    result, _ = train(config, validate=lambda _: next(scores))
    assert result.history[-1][0] == 8
    assert equal(result, train(config)[0])


def test_a_training_that_gets_no_better_stops_and_gives_its_best_model() -> None:
    scores = iter([0.5, 0.7, 0.6, 0.7, 0.9])
    validated: list[dict[str, Tensor]] = []

    def validate(model: BoxNet) -> float:
        validated.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return next(scores)

    result, _ = train(box_task.config(steps=40, validate_every=2, patience=2), validate=validate)
    assert [step for step, figures in result.history if "validation_score" in figures] == [2, 4, 6, 8]
    assert same(result.model.state_dict(), validated[1])


def test_a_stopped_training_is_still_stopped_when_it_resumes(checkpoint: Checkpoint) -> None:
    config = box_task.config(steps=40, validate_every=2, checkpoint_every=2, patience=2)
    first, _ = train(config, checkpoint, validate=lambda _: 0.5)
    again, _ = train(config, checkpoint, validate=lambda _: 0.5)
    assert again.history == first.history
    assert equal(first, again)
