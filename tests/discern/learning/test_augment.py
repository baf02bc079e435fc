from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from discern.learning.augment import augment, recolour, to_float, warp
from discern.learning.camera import photograph
from discern.learning.config import AugmentConfig
from tests.discern.toy import PLAIN

STRONGEST = AugmentConfig(
    rotation=180,
    scale=0.99,
    shift=0.5,
    perspective=0.5,
    shear=0.9,
    stretch=0.9,
    elastic=0.5,
    flip=True,
    brightness=0.99,
    contrast=0.99,
    saturation=0.99,
    colour_cast=0.99,
    blur=1,
    noise=0.5,
    erase=1,
)


def generator(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 6, side: int = 24) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (count, side, side, 3), np.uint8))


def ramp(count: int = 4, side: int = 32) -> Tensor:
    """Photos that grow brighter to the right, and bluer to the bottom: every point differs from every other."""
    line = torch.linspace(20, 230, side).to(torch.uint8)
    photo = torch.stack([line.expand(side, side), line[:, None].expand(side, side), torch.full((side, side), 90)], 2)
    return photo.to(torch.uint8).expand(count, side, side, 3).contiguous()


def test_photos_become_floats_with_channels_first() -> None:
    photos = noise()
    images = to_float(photos)
    assert images.shape == (6, 3, 24, 24)
    assert images.dtype == torch.float32
    assert images[2, 1, 5, 7] == photos[2, 5, 7, 1] / 255
    assert (images.min(), images.max()) == (0, 1)


@pytest.mark.parametrize("config", [AugmentConfig(), STRONGEST, PLAIN], ids=["default", "strongest", "plain"])
def test_shape_and_range_stay(config: AugmentConfig) -> None:
    images = augment(noise(), config, generator())
    assert images.shape == (6, 3, 24, 24)
    assert images.dtype == torch.float32
    assert torch.isfinite(images).all()
    assert images.min() >= 0
    assert images.max() <= 1


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**40), st.floats(0, 0.5), st.floats(0, 180))
def test_no_seed_gives_a_number_that_is_none(seed: int, perspective: float, rotation: float) -> None:
    config = STRONGEST.model_copy(update={"perspective": perspective, "rotation": rotation})
    assert torch.isfinite(augment(noise(16, 16), config, generator(seed))).all()


def test_the_generator_alone_decides() -> None:
    first = augment(noise(), AugmentConfig(), generator(3))
    torch.manual_seed(99)
    assert torch.equal(augment(noise(), AugmentConfig(), generator(3)), first)
    assert not torch.equal(augment(noise(), AugmentConfig(), generator(4)), first)


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": 90},
        {"scale": 0.3},
        {"shift": 0.2},
        {"perspective": 0.3},
        {"brightness": 0.4},
        {"contrast": 0.5},
        {"saturation": 0.9},
        {"colour_cast": 0.3},
        {"noise": 0.1},
        {"erase": 1.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_change_is_another_for_every_photo(change: dict[str, float]) -> None:
    photos = ramp(8)
    images = augment(photos, PLAIN.model_copy(update=change), generator())
    plain = to_float(photos)
    for number in range(8):
        assert not torch.allclose(images[number], plain[number], atol=1e-3)
        for other in range(number):
            assert not torch.allclose(images[number], images[other], atol=1e-3)


def test_without_any_change_photos_stay_as_they_are() -> None:
    photos = noise()
    torch.testing.assert_close(augment(photos, PLAIN, generator()), to_float(photos), atol=1e-4, rtol=0)


def test_photos_are_not_mirrored_unless_told() -> None:
    # Without rotation and shear a brightness that grows to the right does so after every change but a mirror.
    config = AugmentConfig(rotation=30, blur=0, noise=0, erase=0)

    def slope(flip: bool) -> Tensor:
        images = augment(ramp(64), config.model_copy(update={"flip": flip}), generator())[:, 0, 8:24, 8:24]
        return images[:, :, -1].mean(1) - images[:, :, 0].mean(1)

    assert AugmentConfig().flip is False
    assert (slope(flip=False) > 0).all()
    assert 16 < (slope(flip=True) > 0).sum() < 48


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 60, 140), (1.0, 200, 200)])
@pytest.mark.parametrize("key", ["blur", "erase"])
def test_the_share_of_photos_that_are_changed_is_the_stated_one(key: str, share: float, least: int, most: int) -> None:
    photos = noise(200, 16)
    images = augment(photos, PLAIN.model_copy(update={key: share}), generator())
    changed = (images - to_float(photos)).abs().amax((1, 2, 3)) > 0.01
    assert least <= changed.sum() <= most


def test_blur_keeps_the_mean_and_lowers_the_contrast() -> None:
    plain = to_float(noise(4, 32))
    images = augment(noise(4, 32), PLAIN.model_copy(update={"blur": 1.0}), generator())
    torch.testing.assert_close(images.mean((2, 3)), plain.mean((2, 3)), atol=0.02, rtol=0)
    assert (images.std((2, 3)) < plain.std((2, 3)) / 2).all()


def test_an_erased_rectangle_covers_a_part_only() -> None:
    images = augment(ramp(32), PLAIN.model_copy(update={"erase": 1.0}), generator())
    share = ((images - to_float(ramp(32))).abs().amax(1) > 1e-3).float().mean((1, 2))
    assert (share > 0).all()
    assert (share <= 0.42**2).all()


def test_a_quarter_turn_moves_every_pixel_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    images = to_float(noise(2, 16))
    monkeypatch.setattr(torch, "rand", _highest(torch.rand))
    turned = warp(images, PLAIN.model_copy(update={"rotation": 90}), generator())
    torch.testing.assert_close(turned, images.rot90(1, (2, 3)), atol=1e-3, rtol=0)


def test_grey_photos_stay_grey_whatever_the_saturation() -> None:
    grey = torch.rand(5, 1, 8, 8, generator=generator()).expand(5, 3, 8, 8)
    changed = recolour(grey, PLAIN.model_copy(update={"saturation": 0.9}), generator())
    torch.testing.assert_close(changed, grey, atol=1e-5, rtol=0)


def test_a_colour_cast_is_a_gain_of_every_channel_of_its_own() -> None:
    grey = torch.full((8, 3, 4, 4), 0.5)
    gains = recolour(grey, PLAIN.model_copy(update={"colour_cast": 0.3}), generator())[:, :, 0, 0] / 0.5
    assert ((gains >= 0.7) & (gains <= 1.3)).all()
    assert (gains.amax(1) - gains.amin(1) > 0.01).all()
    brighter = recolour(grey, PLAIN.model_copy(update={"brightness": 0.3}), generator())[:, :, 0, 0]
    torch.testing.assert_close(brighter, brighter[:, :1].expand(8, 3))


def test_the_photos_given_are_not_touched() -> None:
    photos = noise()
    before = photos.clone()
    augment(photos, STRONGEST, generator())
    assert torch.equal(photos, before)


def _highest(real: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Stands for `torch.rand` where every draw is its highest number."""

    def rand(*size: int, **options: object) -> Tensor:
        return torch.ones_like(real(*size, **options))

    return rand


def only(**changes: float) -> AugmentConfig:
    return PLAIN.model_copy(update=changes)


def test_a_stretch_moves_the_middle_nowhere_and_the_rest_along_the_axes() -> None:
    photos = ramp()
    changed = warp(to_float(photos), only(stretch=0.3), generator())
    middle = changed[:, :, 15:17, 15:17].mean((2, 3))
    torch.testing.assert_close(middle, to_float(photos)[:, :, 15:17, 15:17].mean((2, 3)), atol=0.01, rtol=0)
    red = changed[:, 0]  # it grows to the right alone, and still does
    assert (red - red[:, :1]).abs().max() < 0.01
    assert len({round(float(value), 3) for value in red[:, 0, 24]}) == 4


def test_a_shear_tilts_what_was_upright() -> None:
    changed = warp(to_float(ramp()), only(shear=0.4), generator())
    tilt = (changed[:, 0, 24, 16] - changed[:, 0, 8, 16]).abs()
    assert (tilt > 0.01).any()
    blue_rows = changed[:, 1]  # it grows downwards alone
    assert (blue_rows[:, :, 12:20] - blue_rows[:, :, 12:13]).abs().max() < 0.01


def test_a_bend_is_smooth_and_another_for_every_photo() -> None:
    changed = warp(to_float(ramp()), only(elastic=0.1), generator())
    assert len({round(float(image.mean() * 1e4)) for image in changed[:, :, 8:24, 8:24]}) > 1
    assert not torch.allclose(changed[0], changed[1])
    inside = changed[:, 0, 8:24, 8:24]
    assert inside.diff(dim=2).abs().max() < 0.15  # no tears: the ramp's own steps are .026
    assert torch.equal(changed, warp(to_float(ramp()), only(elastic=0.1), generator()))


CAMERAS = {"white_balance": 50.0, "exposure": 1.0, "gamma": 0.3, "sensor_noise": 0.1, "resolution": 1.0, "jpeg": 1.0}


@pytest.mark.parametrize("config", [AugmentConfig(), PLAIN, STRONGEST], ids=["default", "plain", "strongest"])
def test_cameras_draw_after_everything_else_and_not_at_all_where_there_are_none(config: AugmentConfig) -> None:
    """So trainings without them are the same as ever, and with them each photo lies and is lit as without."""
    alone, before_cameras, with_cameras = generator(), generator(), generator()
    images = augment(noise(), config, alone)
    assert torch.equal(photograph(images, config, alone), images)
    other = config.model_copy(update=CAMERAS)
    expected = photograph(augment(noise(), config, before_cameras), other, before_cameras)
    assert torch.equal(alone.get_state(), generator_after(config))
    assert torch.equal(augment(noise(), other, with_cameras), expected)


def generator_after(config: AugmentConfig) -> Tensor:
    """The state of a generator after the draws of `augment` without cameras, counted one by one."""
    drawn = generator()
    images = warp(to_float(noise()), config, drawn)
    recolour(images, config, drawn)
    torch.rand(len(images), generator=drawn)  # blur
    if config.noise:
        torch.randn(images.shape, generator=drawn)
        torch.rand(len(images), 1, 1, 1, generator=drawn)
    torch.rand(len(images), 6, generator=drawn)  # erase
    return drawn.get_state()
