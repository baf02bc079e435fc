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
from discern.learning.embedding import embed, embedder_trainer, train_embedder
from discern.learning.losses import LabelledBatch, MetricLoss
from discern.learning.models import TorchEmbedder
from discern.learning.trainer import TrainingResult
from tests.discern import toy

FINGERPRINT = "0123456789abcdef"
# With a state in every part: proxies, a miner that draws at random, augmentation, class means, moving average.
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


def metric_loss(config: TrainingConfig, classes: int = 4) -> MetricLoss:
    return MetricLoss(config.loss, config.miner, classes, config.model.embedding_dim)


def train(config: TrainingConfig, loss: nn.Module, **options: Any) -> TrainingResult[TorchEmbedder]:
    return train_embedder(config, toy.PREPROCESSING, toy.photo_set(), loss, name="test", **options)


def trained(config: TrainingConfig, **options: Any) -> TrainingResult[TorchEmbedder]:
    torch.manual_seed(7)  # proxies are drawn before the training begins
    return train(config, metric_loss(config, 4 * TURNS[config.symmetries]), **options)


def same(first: TrainingResult[TorchEmbedder], second: TrainingResult[TorchEmbedder]) -> bool:
    weights, others = first.model.state_dict(), second.model.state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


def test_the_loss_goes_down_and_the_classes_come_apart() -> None:
    config = toy.config(steps=30)
    photos = toy.photo_set()
    ids, _ = photos.class_ids()
    labels = torch.from_numpy(ids)

    def loss(model: TorchEmbedder) -> float:
        batch = LabelledBatch(labels, labels, labels)
        return float(metric_loss(config)(embed(model, photos.pixels), batch))

    result = trained(config)
    assert loss(result.model) < 0.8 * loss(TorchEmbedder(config.model, toy.PREPROCESSING))
    losses = [figures["loss"] for _, figures in result.history if "loss" in figures]
    assert losses[-1] < losses[0]
    # Every class is a point: log(3 positives) is the least that this loss can be for batches of 4 a class.
    assert losses[-1] == pytest.approx(math.log(3), abs=0.05)
    similarity = embed(result.model, photos.pixels) @ embed(result.model, photos.pixels).T
    is_same = labels[:, None] == labels
    assert similarity[is_same].min() > similarity[~is_same].max()


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
    from tests.discern.learning.test_embedding import EVERYTHING, FINGERPRINT, toy, trained

    validations = []

    def validate(model):
        validations.append(1)
        if len(validations) == 8:
            print("eight", flush=True)
            time.sleep(600)
        return 0.5

    trained(toy.config(**EVERYTHING), validate=validate, checkpoint=Checkpoint(sys.argv[1], FINGERPRINT))
"""


def test_a_killed_training_goes_on_to_the_same_weights_to_the_bit(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), FINGERPRINT)
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


def test_proxies_learn_too() -> None:
    config = toy.config(loss=NamedPart(name="ProxyAnchorLoss"), steps=3)
    loss = metric_loss(config)
    before = [proxy.detach().clone() for proxy in loss.parameters()]
    train(config, loss)
    assert before
    assert all(not torch.equal(old, new) for old, new in zip(before, loss.parameters(), strict=True))


def test_two_classes_are_enough_and_do_not_count_as_collapsed() -> None:
    config = toy.config(steps=60, warmup=0.0, classes_per_batch=24)
    photos = toy.photo_set(classes=2)
    result = train_embedder(config, toy.PREPROCESSING, photos, metric_loss(config, 2), name="test")
    vectors = embed(result.model, photos.pixels)
    same_class = torch.tensor([[one == other for other in photos.labels] for one in photos.labels])
    similarity = vectors @ vectors.T
    assert similarity[same_class].min() > similarity[~same_class].max()
    assert similarity[~same_class].max() < 0, "they lie on opposite sides, on a line of effective rank 1"


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU a depthwise net computes as others do")
def test_a_checkpoint_states_what_auto_came_to_for_this_net(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), FINGERPRINT)
    automatic = toy.config(steps=2, checkpoint_every=1, mixed_precision="auto")  # depthwise: float32
    trained(automatic, checkpoint=checkpoint)
    trained(automatic.model_copy(update={"mixed_precision": "no"}), checkpoint=checkpoint)
    with pytest.raises(TrainingError, match="training with `mixed_precision: no`, and here it comes to bf16"):
        trained(automatic.model_copy(update={"mixed_precision": "bf16"}), checkpoint=checkpoint)


class Similarities(nn.Module):
    """A loss that keeps the type of the similarities that it computes."""

    def forward(self, embeddings: Tensor, batch: LabelledBatch) -> Tensor:
        similarity = embeddings @ embeddings.T
        self.types = (embeddings.dtype, similarity.dtype)
        return similarity.mean()


def test_a_loss_computes_in_float32_whatever_the_model_does() -> None:
    loss = Similarities()
    train(toy.config(steps=1, mixed_precision="bf16", device="cpu"), loss)
    assert loss.types == (torch.float32, torch.float32)


def test_embedding_leaves_the_model_as_it_was_and_does_not_depend_on_the_batch() -> None:
    model = TorchEmbedder(ModelConfig(backbone=toy.BACKBONE, embedding_dim=16), toy.PREPROCESSING).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pixels = toy.photo_set().pixels
    vectors = embed(model, pixels)
    assert vectors.shape == (24, 16)
    torch.testing.assert_close(embed(model, pixels, batch=5), vectors, atol=1e-5, rtol=0)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    torch.testing.assert_close(embed(model.eval(), pixels), vectors)


def test_photos_that_cannot_be_written_to_are_embedded_all_the_same() -> None:
    model = TorchEmbedder(ModelConfig(backbone=toy.BACKBONE, embedding_dim=16), toy.PREPROCESSING)
    pixels = toy.photo_set().pixels
    vectors = embed(model, pixels)
    pixels.flags.writeable = False
    assert torch.equal(embed(model, pixels), vectors)


def test_no_photos_have_no_embeddings() -> None:
    model = TorchEmbedder(ModelConfig(backbone=toy.BACKBONE, embedding_dim=16), toy.PREPROCESSING)
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
def test_a_net_for_other_photos_is_refused_before_anything_trains(model: ModelConfig) -> None:
    with pytest.raises(TrainingError, match=r"^timm's \w+ cannot embed coloured photos of 32 x 32 pixels \([^\n]+$"):
        trained(toy.config(model=model))


class _Collapsing(nn.Module):
    """Draws all embeddings to one point."""

    def forward(self, embeddings: Tensor, batch: LabelledBatch) -> Tensor:
        return 100 * (1 - embeddings[:, 0]).mean()


@pytest.mark.long  # `test_monitor` shows the alarm, and `test_collectives` that a trainer heeds it
def test_collapsed_embeddings_stop_the_training_and_keep_the_last_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), FINGERPRINT)
    config = toy.config(steps=400, learning_rate=0.02, checkpoint_every=10)
    with pytest.raises(
        TrainingError, match=r"collapsed: at step \d+ .* effective rank 1\.\d+, under least_rank = 1\.2"
    ):
        train(config, _Collapsing(), checkpoint=checkpoint)
    state = checkpoint.load()
    assert state is not None
    assert 10 <= state["step"] < 400


def test_turned_classes_are_learnt_apart() -> None:
    config = toy.config(steps=3, symmetries="rotations", classes_per_batch=16)
    assert math.isfinite(trained(config).history[-1][1]["loss"])  # 4 classes of which each is turned by quarters


def test_an_embedder_carries_its_preprocessing_and_not_where_its_weights_came_from(tmp_path: Path) -> None:
    torch.save(TorchEmbedder(toy.config().model, toy.PREPROCESSING).state_dict(), tmp_path / "weights.pt")
    model = toy.config().model.model_copy(update={"weights": str(tmp_path / "weights.pt")})
    result = trained(toy.config(steps=1, model=model))
    assert result.model.preprocessing == toy.PREPROCESSING
    assert result.model.config == toy.config().model


def test_recall_at_1_is_what_an_embedder_is_validated_by() -> None:
    trainer = embedder_trainer(
        toy.config(), toy.PREPROCESSING, toy.photo_set(), metric_loss(toy.config()), validate=lambda _: 0.5
    )
    assert trainer.monitor.validate(trainer.learner.ema) == {"validation_recall_at_1": 0.5}
