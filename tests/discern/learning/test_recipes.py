from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import TrainingError
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig, ModelConfig, NamedPart
from discern.learning.embedding import embed
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import (
    check_preprocessing,
    distil_student,
    recall_validator,
    train_on_labels,
    untrained_embedder,
)
from edge_runtime.core.images import Preprocessing
from tests.discern import toy

STUDENT = toy.config(
    model=ModelConfig(backbone=toy.BACKBONE, embedding_dim=16),
    classes_per_batch=12,
    photos_per_class=2,
    steps=60,
    seed=5,
)


def agreement(student: TorchEmbedder, teacher: TorchEmbedder, version: DatasetVersion) -> float:
    """Mean cosine between what the two make of the training photos."""
    photos = load_photos(version.select(split="train"), toy.PREPROCESSING).pixels
    return float((embed(student, photos) * embed(teacher, photos)).sum(1).mean())


def test_a_teacher_learns_the_training_split_alone(toy_version: DatasetVersion) -> None:
    steps: list[int] = []
    config = toy.config(steps=3, classes_per_batch=len(toy.TRAINED), photos_per_class=2)
    result = train_on_labels(toy_version, toy.PREPROCESSING, config, log=lambda step, _: steps.append(step))
    assert steps == [3, 3]
    assert 0 <= result.history[-1][1]["validation_recall_at_1"] <= 1


@pytest.fixture(scope="module")
def student(toy_version: DatasetVersion, toy_model: TorchEmbedder) -> TorchEmbedder:
    """A student of the toy's teacher; not to be changed."""
    return distil_student(toy_version, STUDENT, DistillConfig(), toy_model).model


def test_a_distilled_student_comes_near_its_teacher(
    student: TorchEmbedder, toy_version: DatasetVersion, toy_model: TorchEmbedder
) -> None:
    torch.manual_seed(1)
    untaught = agreement(TorchEmbedder(STUDENT.model, toy.PREPROCESSING).eval(), toy_model, toy_version)
    assert untaught < 0.6
    assert agreement(student, toy_model, toy_version) > 0.9


def test_a_student_is_searched_in_its_teachers_index(
    student: TorchEmbedder, toy_version: DatasetVersion, toy_model: TorchEmbedder
) -> None:
    photos = load_photos(toy_version.select(split="train"), toy.PREPROCESSING)
    nearest = (embed(student, photos.pixels) @ embed(toy_model, photos.pixels).T).argmax(1).numpy()
    labels = np.array(photos.labels)
    assert (labels[nearest] == labels).mean() > 0.9


def test_the_teacher_is_not_changed(toy_version: DatasetVersion, toy_model: TorchEmbedder) -> None:
    before = {name: tensor.clone() for name, tensor in toy_model.state_dict().items()}
    distil_student(toy_version, STUDENT.model_copy(update={"steps": 2}), DistillConfig(metric=1.0), toy_model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in toy_model.state_dict().items())


def test_the_seed_decides_the_proxies_too(toy_version: DatasetVersion) -> None:
    config = toy.config(steps=1, loss=NamedPart(name="ProxyAnchorLoss"))
    first, second = (train_on_labels(toy_version, toy.PREPROCESSING, config).history for _ in range(2))
    assert first == second  # drawn from torch's generator, which the first training has moved on


def test_an_interrupted_student_goes_on(toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path) -> None:
    config = STUDENT.model_copy(update={"steps": 8, "checkpoint_every": 2, "validate_every": 5})
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), "0123456789abcdef")

    def stop(step: int, _: dict[str, float]) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distil_student(toy_version, config, DistillConfig(), toy_model, log=stop, checkpoint=checkpoint)
    resumed = distil_student(toy_version, config, DistillConfig(), toy_model, checkpoint=checkpoint).model.state_dict()
    unbroken = distil_student(toy_version, config, DistillConfig(), toy_model).model.state_dict()
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)


def test_a_student_of_another_dimension_is_refused(toy_version: DatasetVersion, toy_model: TorchEmbedder) -> None:
    config = STUDENT.model_copy(update={"model": ModelConfig(backbone=toy.BACKBONE, embedding_dim=8)})
    with pytest.raises(TrainingError, match=r"student's embedding_dim is 8, the teacher's 16: make them equal"):
        distil_student(toy_version, config, DistillConfig(), toy_model)


def test_a_student_takes_its_teachers_preprocessing(student: TorchEmbedder, toy_model: TorchEmbedder) -> None:
    assert student.preprocessing == toy_model.preprocessing == toy.PREPROCESSING


def test_a_teacher_of_other_photos_is_refused(toy_model: TorchEmbedder) -> None:
    check_preprocessing(toy_model, toy.PREPROCESSING)
    for wanted in (Preprocessing(48), Preprocessing(32, "stretch")):
        message = (
            f"The teacher was trained on photos of {{size: 32, fit: letterbox}}, and `image` is "
            f"{{size: {wanted.size}, fit: {wanted.fit}}}: set `image` to the teacher's, or train another teacher."
        )
        with pytest.raises(TrainingError, match=f"^{re.escape(message)}$"):
            check_preprocessing(toy_model, wanted)


def test_no_training_photos_are_an_error(toy_version: DatasetVersion, toy_model: TorchEmbedder) -> None:
    rest = toy_version.select(split="test")
    with pytest.raises(TrainingError, match=f"dataset version {rest.id} has no training photos: check its splits"):
        train_on_labels(rest, toy.PREPROCESSING, toy.config())
    with pytest.raises(TrainingError, match="has no training photos"):
        distil_student(rest, STUDENT, DistillConfig(), toy_model)


def test_validation_recall_is_the_share_of_enrolled_queries_found(
    toy_version: DatasetVersion, toy_model: TorchEmbedder
) -> None:
    validate = recall_validator(toy_version, toy.PREPROCESSING)
    assert validate is not None
    gallery = toy_version.select(split="validation", role="gallery")
    queries = toy_version.select(split="validation", role="query", labels=toy.VALIDATION)  # no unknowns
    known = embed(toy_model, load_photos(gallery, toy.PREPROCESSING).pixels)
    right = 0
    for row in range(len(queries)):
        vector = embed(toy_model, toy.PREPROCESSING.apply(queries.pixels(row))[None])
        right += gallery.column("label")[int((known @ vector[0]).argmax())] == queries.column("label")[row]
    assert len(queries) == 16
    assert validate(toy_model) == pytest.approx(right / 16)


def test_there_is_no_validation_without_queries_or_gallery(toy_version: DatasetVersion) -> None:
    assert recall_validator(toy_version.select(role="gallery"), toy.PREPROCESSING) is None
    assert recall_validator(toy_version.select(role="query"), toy.PREPROCESSING) is None
    assert recall_validator(toy_version.select(split="train"), toy.PREPROCESSING) is None
    unknowns = toy_version.select(labels=[*toy.VALIDATION_UNKNOWNS, *toy.TRAINED])
    assert recall_validator(unknowns, toy.PREPROCESSING) is None


@pytest.fixture
def backbone(toy_model: TorchEmbedder, tmp_path: Path) -> ModelConfig:
    """The toy's net, with weights of its backbone alone."""
    torch.save(toy_model.backbone.state_dict(), tmp_path / "weights.pt")
    return ModelConfig(backbone=toy.BACKBONE, embedding_dim=64, weights=str(tmp_path / "weights.pt"))


def test_weights_stay_as_they_are_and_the_head_is_fitted(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, backbone: ModelConfig
) -> None:
    model = untrained_embedder(toy_version.select(split="train"), toy.PREPROCESSING, backbone)
    assert all(
        torch.equal(tensor, toy_model.backbone.state_dict()[name])
        for name, tensor in model.backbone.state_dict().items()
    )
    assert model.head.weight.shape == (64, 1024)
    validate = recall_validator(toy_version, toy.PREPROCESSING)
    assert validate is not None
    torch.manual_seed(0)
    assert validate(model) >= validate(TorchEmbedder(backbone, toy.PREPROCESSING).eval())
    assert validate(model) > 0.8


def test_weights_that_bring_their_head_keep_it(
    toy_version: DatasetVersion, toy_model: TorchEmbedder, tmp_path: Path
) -> None:
    torch.save(toy_model.state_dict(), tmp_path / "weights.pt")
    config = toy_model.config.model_copy(update={"weights": str(tmp_path / "weights.pt")})
    model = untrained_embedder(toy_version.select(split="train"), toy.PREPROCESSING, config)
    assert model.fingerprint() == toy_model.fingerprint()


def test_a_head_without_training_chooses_from_the_features_that_there_are(
    toy_version: DatasetVersion, backbone: ModelConfig
) -> None:
    config = backbone.model_copy(update={"embedding_dim": 1025})
    with pytest.raises(TrainingError, match="`embedding_dim: 1025` is more than the 1024 features"):
        untrained_embedder(toy_version, toy.PREPROCESSING, config)
