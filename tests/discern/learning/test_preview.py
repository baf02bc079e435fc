from __future__ import annotations

import numpy as np

from discern.learning.config import AugmentConfig, ImageConfig
from discern.learning.preview import PreviewConfig, augmenter
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
    assert not any(np.array_equal(one, other) for one, other in zip(changed, plain, strict=True))


def test_one_seed_gives_one_sheet() -> None:
    config = PreviewConfig(image=ImageConfig(size=32))
    one, two, other = (augmenter(config, seed)(PHOTOS) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_without_augmentation_the_input_is_shown() -> None:
    still = AugmentConfig(
        rotation=0, scale=0, shift=0, perspective=0, brightness=0, contrast=0, saturation=0, colour_cast=0, blur=0,
        noise=0, erase=0,
    )  # fmt: skip
    config = PreviewConfig(image=ImageConfig(size=32), augment=still)
    for shown, photo in zip(augmenter(config)(PHOTOS), PHOTOS, strict=True):
        assert np.abs(shown.astype(int) - config.image.preprocessing.apply(photo)).max() <= 1
