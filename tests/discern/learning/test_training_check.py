from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError, DataError, DiscernError, TrainingError
from discern.learning.config import EmbedderConfig, ImageConfig, ModelConfig, NamedPart, TrainingConfig
from discern.learning.models import TorchEmbedder
from discern.learning.plan import Plan
from discern.learning.training_check import check_all, training_checks
from tests.discern import toy

IMAGE = ImageConfig(size=toy.PREPROCESSING.size)


def raising(error: DiscernError) -> None:
    raise error


def check(
    version: DatasetVersion,
    teacher: TrainingConfig | None,
    student: TrainingConfig | EmbedderConfig,
    earlier: TorchEmbedder | None = None,
    image: ImageConfig = IMAGE,
) -> None:
    check_all(training_checks(version, Plan(image=image, teacher=teacher, student=student), earlier))


def test_one_error_is_itself_and_several_are_a_line_each_told_once() -> None:
    check_all([])
    with pytest.raises(DataError, match=r"^first$"):
        check_all([lambda: None, partial(raising, DataError("first"))])
    errors = DataError("first"), ConfigError("second"), TrainingError("first")
    with pytest.raises(TrainingError, match=r"^first\nsecond$"):
        check_all(partial(raising, error) for error in errors)


def test_a_teacher_and_a_student_that_can_train_pass(toy_version: DatasetVersion, toy_model: TorchEmbedder) -> None:
    check(toy_version, toy.config(), toy.config(patience=2, validate_every=1))
    check(toy_version, None, toy.config(), toy_model)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_all_that_is_wrong_with_both_is_told_at_once(toy_version: DatasetVersion, tmp_path: Path) -> None:
    lost = str(tmp_path / "lost.pt")
    teacher = toy.config(
        model=ModelConfig(backbone="resnt10t", embedding_dim=16), loss=NamedPart(name="SupConLos"), device="gpu"
    )
    student = toy.config(
        model=ModelConfig(backbone=toy.BACKBONE, embedding_dim=8, weights=lost),
        miner=NamedPart(name="BatchHardMiner", parameters={"no": 1}),
        patience=2,
        validate_every=1,
    )
    one_class = toy_version.select(labels=toy.TRAINED[:1])
    with pytest.raises(TrainingError) as raised:
        check(one_class, teacher, student)
    lines = str(raised.value).splitlines()
    wanted = (
        "The training split has 1 class, and",
        "`device: gpu` needs a GPU",
        "timm has no model 'resnt10t'",
        "pytorch-metric-learning has no loss 'SupConLos'",
        "The student's embedding_dim is 8, the teacher's 16",
        "`patience: 2` counts validations, and the validation split has no query",
        f"The weights {lost} cannot be read",
        "The miner BatchHardMiner does not take these `parameters`",
    )
    assert len(lines) == len(wanted), lines
    for line, start in zip(lines, wanted, strict=True):
        assert line.startswith(start)


def test_an_earlier_teacher_of_other_photos_or_another_length_is_refused(
    toy_version: DatasetVersion, toy_model: TorchEmbedder
) -> None:
    shorter = toy.config(model=ModelConfig(backbone=toy.BACKBONE, embedding_dim=8))
    with pytest.raises(TrainingError, match=r"The teacher was trained on [^\n]*\nThe student's embedding_dim"):
        check(toy_version, None, shorter, toy_model, ImageConfig(size=48))


def test_turns_count_as_classes(toy_version: DatasetVersion) -> None:
    config = toy.config(symmetries="rotations")
    check(toy_version.select(labels=toy.TRAINED[:1]), config, config)


def test_a_model_that_nothing_trains_needs_no_training_photos(toy_version: DatasetVersion, tmp_path: Path) -> None:
    torch.save(TorchEmbedder(toy.config().model, toy.PREPROCESSING).backbone.state_dict(), tmp_path / "weights.pt")
    model = ModelConfig(backbone=toy.BACKBONE, weights=str(tmp_path / "weights.pt"))
    rest = toy_version.select(split="test")
    check(rest, None, EmbedderConfig(model=model))
    with pytest.raises(TrainingError, match=r"`embedding_dim: 2048` is more than the 1024 features of \w+, .*: lower"):
        check(rest, None, EmbedderConfig(model=model.model_copy(update={"embedding_dim": 2048})))
