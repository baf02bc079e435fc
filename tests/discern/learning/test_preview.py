from __future__ import annotations

import numpy as np
import pytest

from discern.errors import ConfigError
from discern.learning.config import AugmentConfig, ImageConfig
from discern.learning.preview import PreviewConfig, augmenter, preview_of
from edge_runtime.core.images import Pixels

PHOTOS: list[Pixels] = [
    np.random.default_rng(seed).integers(0, 255, (40, 30 + seed, 3)).astype(np.uint8) for seed in range(3)
]


def test_photos_are_changed_as_training_changes_them() -> None:
    config = PreviewConfig(image=ImageConfig(size=32))
    changed = augmenter(config)(PHOTOS)
    assert [photo.shape for photo in changed] == [(32, 32, 3)] * 3
    assert all(photo.dtype == np.uint8 for photo in changed)
    plain = [config.image.preprocessing.apply(photo) for photo in PHOTOS]
    assert not any(np.array_equal(photo, before) for photo, before in zip(changed, plain, strict=True))


def test_one_seed_gives_one_sheet() -> None:
    config = PreviewConfig(image=ImageConfig(size=32))
    first, again, other_seed = (augmenter(config, seed)(PHOTOS) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other_seed)


def test_without_augmentation_the_input_is_shown() -> None:
    still = AugmentConfig(
        rotation=0, scale=0, shift=0, perspective=0, brightness=0, contrast=0, saturation=0, colour_cast=0, blur=0,
        noise=0, erase=0,
    )  # fmt: skip
    config = PreviewConfig(image=ImageConfig(size=32), augment=still)
    for shown, photo in zip(augmenter(config)(PHOTOS), PHOTOS, strict=True):
        assert np.abs(shown.astype(int) - config.image.preprocessing.apply(photo)).max() <= 1


def test_the_preview_of_a_training_config_is_its_teachers() -> None:
    teacher = {"model": {"backbone": "resnet18"}, "steps": 3, "augment": {"scale": 0.03}}
    student = {"model": {"backbone": "resnet10t"}, "steps": 3}
    config = {"parameters": {"image": {"size": 48}, "teacher": teacher, "student": student}}
    preview = preview_of(config, "training.yaml")
    assert preview is not None
    assert preview.image == ImageConfig(size=48)
    assert preview.augment == AugmentConfig(scale=0.03)


def test_without_a_teacher_no_photo_is_changed_and_there_is_no_preview() -> None:
    student = {"model": {"backbone": "resnet10t"}}
    assert preview_of({"parameters": {"image": {"size": 48}, "teacher": "none", "student": student}}, "x") is None


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"parameters": None},
        {"parameters": {"use_case": "x"}},
        {"parameters": {"image": {"size": 48}, "teacher": {"steps": 3}}},
        {"parameters": {"image": {"size": 4}, "teacher": {"model": {"backbone": "resnet18"}, "steps": 3}}},
    ],
)
def test_another_config_than_a_trainings_is_one_sentence(config: dict[str, object]) -> None:
    with pytest.raises(
        ConfigError, match=r"^data\.yaml is no config of the training pipeline \([^\n]+\): mend it, or [^\n]+\.$"
    ):
        preview_of(config, "data.yaml")
