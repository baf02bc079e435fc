from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from discern.errors import TrainingError
from discern.learning.batches import TURNS
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import AugmentConfig, ModelConfig, NamedPart, TrainingConfig
from discern.learning.loop import TrainingResult, embed, train
from discern.learning.losses import Batch, MetricObjective
from discern.learning.models import TorchEmbedder
from tests.discern import toy

MARK = "0123456789abcdef"
# Everything that has a state of its own: proxies, a miner that draws at random, augmentation, moving average, schedule.
EVERYTHING: dict[str, Any] = {
    "loss": NamedPart(name="ProxyAnchorLoss"),
    "miner": NamedPart(name="DistanceWeightedMiner", parameters={"cutoff": 0.2}),
    "augment": AugmentConfig(),
    "lookalikes": 0.5,
    "symmetries": "rotations",
    "patience": 50,
    "checkpoint_every": 3,
    "validate_every": 1,
}


def objective(config: TrainingConfig, classes: int = 4) -> MetricObjective:
    return MetricObjective(config.loss, config.miner, classes, config.model.embedding_dim)


def trained(config: TrainingConfig, **options: Any) -> TrainingResult:
    torch.manual_seed(7)  # proxies are drawn before the training begins
    part = objective(config, 4 * TURNS[config.symmetries])
    return train(config, toy.photo_set(), part, name="test", **options)


def weights(result: TrainingResult) -> dict[str, Tensor]:
    return result.model.state_dict()


def same(first: TrainingResult, second: TrainingResult) -> bool:
    ours, theirs = weights(first), weights(second)
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


class StopError(Exception):
    """Raised in the middle of a training."""


class _Broken(nn.Module):
    """A loss that is fine but for one step."""

    def __init__(self, at: int, loss: float = 1.0, gradient: float = 1.0) -> None:
        super().__init__()
        self.at, self.loss, self.gradient, self.steps = at, loss, gradient, 0

    def forward(self, embeddings: Tensor, batch: Batch) -> Tensor:
        self.steps += 1
        if self.steps != self.at:
            return embeddings[:, 0].mean()
        embeddings.register_hook(lambda grad: grad * self.gradient)
        return embeddings[:, 0].mean() * self.loss


def test_the_loss_goes_down_and_the_classes_come_apart() -> None:
    config = toy.config(steps=30)
    photos = toy.photo_set()
    ids, _ = photos.class_ids()
    labels = torch.from_numpy(ids)

    def loss(model: TorchEmbedder) -> float:
        return float(objective(config)(embed(model, photos.pixels), Batch(labels, labels, labels)))

    result = trained(config)
    assert loss(result.model) < 0.8 * loss(TorchEmbedder(config.model))
    losses = [figures["loss"] for _, figures in result.history if "loss" in figures]
    assert losses[-1] < losses[0]
    # Every class is a point: log(3 positives) is the least that this loss can be for batches of 4 a class.
    assert losses[-1] == pytest.approx(math.log(3), abs=0.05)
    similarity = embed(result.model, photos.pixels) @ embed(result.model, photos.pixels).T
    alike = labels[:, None] == labels
    assert similarity[alike].min() > similarity[~alike].max()


def test_the_same_seed_gives_the_same_weights_to_the_bit() -> None:
    config = toy.config(**EVERYTHING)
    first = trained(config)
    assert same(first, trained(config))
    assert not same(first, trained(toy.config(**EVERYTHING, seed=1)))


KILLED = """
    import sys, time
    import torch
    torch.set_num_threads(1)
    from discern.learning.checkpoints import Checkpoint
    from tests.discern.learning.test_loop import EVERYTHING, MARK, toy, trained

    seen = []

    def validate(model):
        seen.append(1)
        if len(seen) == 8:
            print("eight", flush=True)
            time.sleep(600)
        return 0.5

    trained(toy.config(**EVERYTHING), validate=validate, checkpoint=Checkpoint(sys.argv[1], MARK))
"""


def test_a_killed_training_goes_on_to_the_same_weights_to_the_bit(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    repository = Path(__file__).resolve().parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), checkpoint.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"eight\n"
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    state = checkpoint.load()
    assert state is not None
    assert state["step"] == 6
    config = toy.config(**EVERYTHING)
    resumed = trained(config, validate=lambda _: 0.5, checkpoint=checkpoint)
    unbroken = trained(config, validate=lambda _: 0.5)
    assert same(resumed, unbroken)
    assert resumed.history == unbroken.history
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("stop", [1, 5, 12])
def test_wherever_it_is_stopped_it_goes_on_to_the_same_weights(tmp_path: Path, stop: int) -> None:
    config = toy.config(**EVERYTHING)
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    calls = 0

    def validate(_: TorchEmbedder) -> float:
        nonlocal calls
        calls += 1
        if calls == stop:
            raise StopError
        return 0.5

    with pytest.raises(StopError):
        trained(config, validate=validate, checkpoint=checkpoint)
    calls = 100
    assert same(trained(config, validate=validate, checkpoint=checkpoint), trained(config, validate=validate))


def test_a_training_that_was_finished_is_not_done_again(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    steps: list[int] = []
    first = trained(toy.config(), checkpoint=checkpoint, log=lambda step, _: steps.append(step))
    seen = len(steps)
    assert same(trained(toy.config(), checkpoint=checkpoint, log=lambda step, _: steps.append(step)), first)
    assert len(steps) == seen


def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    url = str(tmp_path / "state.pt")
    trained(toy.config(steps=1), checkpoint=Checkpoint(url, MARK))
    with pytest.raises(TrainingError, match="belongs to another config"):
        trained(toy.config(steps=2), checkpoint=Checkpoint(url, "another"))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_Broken(6, loss=math.nan), r"The loss is nan at step 5 \(photos \[\d+, \d+, \d+, \d+\] and so on\)"),
        (_Broken(6, loss=math.inf), r"The loss is -?inf at step 5"),
        (_Broken(6, gradient=math.nan), r"The gradient is nan at step 5"),
        (_Broken(6, gradient=math.inf), r"The gradient is (nan|inf) at step 5"),
    ],
    ids=["nan loss", "infinite loss", "nan gradient", "infinite gradient"],
)
def test_what_is_not_finite_stops_the_training_and_reaches_no_checkpoint(
    broken: _Broken, message: str, tmp_path: Path
) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    with pytest.raises(TrainingError, match=message + ".*the last checkpoint is kept"):
        train(toy.config(checkpoint_every=1), toy.photo_set(), broken, name="test", checkpoint=checkpoint)
    state = checkpoint.load()
    assert state is not None
    assert state["step"] == 5
    assert all(torch.isfinite(tensor).all() for tensor in state["model"].values())
    assert all(torch.isfinite(tensor).all() for tensor in state["ema"].values())


def test_history_is_what_was_logged_and_validation_is_asked_when_due() -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    asked: list[TorchEmbedder] = []

    def validate(model: TorchEmbedder) -> float:
        asked.append(model)
        return len(asked) / 10

    config = toy.config(steps=13, validate_every=5)
    result = trained(config, validate=validate, log=lambda step, figures: logged.append((step, figures)))
    assert result.history == logged
    assert [(step, sorted(figures)) for step, figures in logged] == [
        (5, ["validation_recall_at_1"]),
        (10, ["effective_rank", "learning_rate", "loss"]),
        (10, ["validation_recall_at_1"]),
        (13, ["effective_rank", "learning_rate", "loss"]),
        (13, ["validation_recall_at_1"]),
    ]
    assert [figures["validation_recall_at_1"] for _, figures in logged if len(figures) == 1] == [0.1, 0.2, 0.3]
    assert not any(model.training for model in asked)
    assert all(isinstance(value, float) for _, figures in logged for value in figures.values())


def test_validation_is_asked_at_the_end_where_no_interval_is_given() -> None:
    result = trained(toy.config(steps=7), validate=lambda _: 0.25)
    assert [step for step, figures in result.history if "validation_recall_at_1" in figures] == [7]


def test_looking_at_the_model_does_not_change_the_training() -> None:
    config = toy.config(**EVERYTHING | {"patience": 0})
    assert same(trained(config, validate=lambda _: 0.5), trained(config))


def test_what_comes_out_is_the_average_in_evaluation_mode() -> None:
    still = trained(toy.config(steps=5, ema_decay=0.999))
    quick = trained(toy.config(steps=5, ema_decay=0.0))
    assert not still.model.training
    assert not same(still, quick)
    assert all(not parameter.is_cuda for parameter in still.model.parameters())


def test_proxies_and_model_learn_and_proxies_quicker() -> None:
    config = toy.config(loss=NamedPart(name="ProxyAnchorLoss"), steps=3)
    part = objective(config)
    before = [proxy.detach().clone() for proxy in part.parameters()]
    train(config, toy.photo_set(), part, name="test")
    assert all(not torch.equal(old, new) for old, new in zip(before, part.parameters(), strict=True))


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth() -> None:
    config = toy.config(steps=40, warmup=0.5, learning_rate=0.01)
    rates = {step: figures["learning_rate"] for step, figures in trained(config).history if "learning_rate" in figures}
    assert rates[10] == pytest.approx(0.01 * 11 / 20)
    assert rates[20] == pytest.approx(0.01)
    assert rates[30] == pytest.approx(0.01 * (0.01 + 0.99 / 2))
    assert rates[40] == pytest.approx(0.0001)


def test_figures_of_speed_are_there() -> None:
    result = trained(toy.config())
    assert result.seconds > 0
    assert result.photos_per_second == pytest.approx(12 * 16 / result.seconds)
    assert 0 < result.waiting < 1


def test_fewer_classes_than_a_batch_needs_are_an_error_before_anything_starts(tmp_path: Path) -> None:
    config = toy.config(classes_per_batch=5)
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    with pytest.raises(TrainingError, match="has 4 classes, fewer than classes_per_batch = 5"):
        trained(config, checkpoint=checkpoint)
    assert list(tmp_path.iterdir()) == []


def test_half_precision_without_a_gpu_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(TrainingError, match="`mixed_precision: fp16` needs a GPU, and there is none here"):
        trained(toy.config(mixed_precision="fp16"))
    trained(toy.config(steps=1))  # nothing of it sticks


class Similarities(nn.Module):
    """A loss that keeps the type of the similarities that it computes."""

    def forward(self, embeddings: Tensor, batch: Batch) -> Tensor:
        similarity = embeddings @ embeddings.T
        self.types = (embeddings.dtype, similarity.dtype)
        return similarity.mean()


def test_a_loss_computes_in_float32_whatever_the_model_does() -> None:
    part = Similarities()
    train(toy.config(steps=1, mixed_precision="bf16", device="cpu"), toy.photo_set(), part, name="test")
    assert part.types == (torch.float32, torch.float32)


def test_a_checkpoint_of_another_precision_is_refused(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state"), MARK)
    trained(toy.config(steps=1, mixed_precision="bf16", device="cpu"), checkpoint=checkpoint)
    with pytest.raises(
        TrainingError, match="a training with `mixed_precision: bf16`, and here it comes to no: set it to"
    ):
        trained(toy.config(steps=2, mixed_precision="no", device="cpu"), checkpoint=checkpoint)


def test_trainings_of_one_process_may_differ_in_precision() -> None:
    plain = trained(toy.config(steps=2))
    brain = trained(toy.config(steps=2, mixed_precision="bf16"))
    assert not same(plain, brain)
    assert all(tensor.dtype != torch.bfloat16 for tensor in weights(brain).values())
    assert same(trained(toy.config(steps=2)), plain)


def test_embedding_leaves_the_model_as_it_was_and_does_not_depend_on_the_batch() -> None:
    model = TorchEmbedder(ModelConfig(backbone=toy.BACKBONE, embedding_dim=16)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pixels = toy.photo_set().pixels
    vectors = embed(model, pixels)
    assert vectors.shape == (24, 16)
    torch.testing.assert_close(embed(model, pixels, batch=5), vectors, atol=1e-5, rtol=0)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    torch.testing.assert_close(embed(model.eval(), pixels), vectors)


def test_photos_that_cannot_be_written_to_are_embedded_all_the_same() -> None:
    model = TorchEmbedder(ModelConfig(backbone=toy.BACKBONE, embedding_dim=16))
    pixels = toy.photo_set().pixels
    vectors = embed(model, pixels)
    pixels.flags.writeable = False
    assert torch.equal(embed(model, pixels), vectors)


def test_no_photos_have_no_embeddings() -> None:
    model = TorchEmbedder(ModelConfig(backbone=toy.BACKBONE, embedding_dim=16))
    assert embed(model, np.empty((0, 32, 32, 3), np.uint8)).shape == (0, 16)


def test_a_net_that_cannot_bear_channels_last_trains_and_embeds() -> None:
    config = toy.config(steps=2, model=ModelConfig(backbone="mobileone_s0", embedding_dim=8))
    assert torch.isfinite(embed(trained(config).model, toy.photo_set().pixels)).all()


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(backbone="vit_tiny_patch16_224", embedding_dim=8),
        ModelConfig(backbone="resnet10t", options={"in_chans": 1}, embedding_dim=8),
    ],
)
def test_a_net_for_other_photos_is_told_before_anything_trains(model: ModelConfig) -> None:
    with pytest.raises(TrainingError, match=r"^timm's \w+ cannot embed coloured photos of 32 x 32 pixels \([^\n]+$"):
        trained(toy.config(model=model))


def test_without_patience_the_training_runs_to_its_end_and_the_last_average_comes_out() -> None:
    result = trained(toy.config(steps=8, validate_every=2), validate=lambda _: 0.0)
    assert result.history[-1][0] == 8


def test_a_training_that_gets_no_better_stops_and_gives_the_best_model() -> None:
    recalls = iter([0.5, 0.7, 0.6, 0.7, 0.9])
    seen: list[dict[str, Tensor]] = []

    def validate(model: TorchEmbedder) -> float:
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return next(recalls)

    result = trained(toy.config(steps=40, validate_every=2, patience=2), validate=validate)
    assert [step for step, figures in result.history if "validation_recall_at_1" in figures] == [2, 4, 6, 8]
    assert all(torch.equal(tensor, seen[1][name]) for name, tensor in weights(result).items())


def test_a_stopped_training_is_still_stopped_when_it_is_taken_up_again(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    config = toy.config(steps=40, validate_every=2, checkpoint_every=2, patience=2)
    first = trained(config, validate=lambda _: 0.5, checkpoint=checkpoint)
    again = trained(config, validate=lambda _: 0.5, checkpoint=checkpoint)
    assert again.history == first.history
    assert same(first, again)


class _Collapsing(nn.Module):
    """Draws all embeddings to one point."""

    def forward(self, embeddings: Tensor, batch: Batch) -> Tensor:
        return 100 * (1 - embeddings[:, 0]).mean()


def test_collapsed_embeddings_stop_the_training_and_keep_the_last_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    config = toy.config(steps=400, learning_rate=0.02, checkpoint_every=10)
    with pytest.raises(
        TrainingError, match=r"collapsed: at step \d+ .* effective rank 1\.\d+, under least_rank = 1\.2"
    ):
        train(config, toy.photo_set(), _Collapsing(), name="test", checkpoint=checkpoint)
    state = checkpoint.load()
    assert state is not None
    assert 10 <= state["step"] < 400


def test_turned_classes_are_learnt_apart() -> None:
    config = toy.config(steps=3, symmetries="rotations", classes_per_batch=16)
    assert math.isfinite(trained(config).history[-1][1]["loss"])  # 4 classes of which each is turned by quarters
    with pytest.raises(TrainingError, match="has 16 classes, fewer than classes_per_batch = 17"):
        trained(config.model_copy(update={"classes_per_batch": 17}))


def test_a_gpu_that_is_asked_for_and_not_there_is_an_error() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(TrainingError, match="`device: gpu` needs a GPU that torch can use, and there is none here"):
        trained(toy.config(device="gpu"))
