from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional

from discern.learning import camera
from discern.learning.camera import photograph
from discern.learning.config import FULL_CAMERA, AugmentConfig
from tests.discern.toy import PLAIN


def generator(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 8, side: int = 24) -> Tensor:
    return torch.rand(count, 3, side, side, generator=generator(9))


def grey(count: int = 64, level: float = 0.5, side: int = 8) -> Tensor:
    return torch.full((count, 3, side, side), level)


def taken(images: Tensor, changes: dict[str, float], seed: int = 0) -> Tensor:
    return photograph(images, PLAIN.model_copy(update=changes), generator(seed))


@pytest.mark.parametrize("key", FULL_CAMERA)
def test_each_key_changes_photos_and_keeps_them_in_range(key: str) -> None:
    images = noise()
    before = images.clone()
    changed = taken(images, {key: FULL_CAMERA[key]})
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert (changed.min() >= 0, changed.max() <= 1) == (True, True)
    assert 0 < (changed - images).abs().amax((1, 2, 3)).gt(1e-3).sum() <= 8
    assert torch.equal(images, before)
    assert torch.equal(taken(images, {key: FULL_CAMERA[key]}), changed)
    assert not torch.equal(taken(images, {key: FULL_CAMERA[key]}, seed=1), changed)


def test_the_strongest_camera_gives_numbers_even_of_black_and_white() -> None:
    strongest = {
        "white_balance": 100.0, "exposure": 3.0, "gamma": 0.99, "sensor_noise": 0.5, "resolution": 1.0, "jpeg": 1.0,
    }  # fmt: skip
    for images in (grey(4, 0.0), grey(4, 1.0), noise(4, 17)):
        changed = taken(images, strongest)
        assert torch.isfinite(changed).all()
        assert (changed.min() >= 0, changed.max() <= 1) == (True, True)


def test_a_strength_stands_for_its_share_of_every_key_and_lowers_none() -> None:
    half = AugmentConfig(camera=0.5, jpeg=0.9).with_camera()
    assert half.jpeg == 0.9
    assert {key: getattr(half, key) for key in FULL_CAMERA if key != "jpeg"} == {
        key: value / 2 for key, value in FULL_CAMERA.items() if key != "jpeg"
    }
    assert AugmentConfig().with_camera() == AugmentConfig()
    stated = {key: value / 2 for key, value in FULL_CAMERA.items()}
    assert torch.equal(taken(noise(), {"camera": 0.5}), taken(noise(), stated))


def test_the_strength_survives_being_written_and_read() -> None:
    config = AugmentConfig(camera=0.5)
    assert AugmentConfig.model_validate_json(config.model_dump_json()).with_camera() == config.with_camera()


def test_a_white_balance_goes_from_blue_to_amber_and_a_little_from_green_to_magenta() -> None:
    light = taken(grey(), {"white_balance": 60})[:, :, 0, 0].square() / 0.25
    logs = light.log()
    warm = logs[:, 0] - logs[:, 2]
    assert warm.min() < -0.3
    assert warm.max() > 0.3
    assert warm.abs().max() <= 0.6 * 0.97 + 1e-4
    # Away from the axis there is but the tint, which changes green alone.
    assert torch.allclose(logs[:, 0] * -0.60, logs[:, 2] * 0.37, atol=1e-4)
    assert logs[:, 1].abs().max() <= 0.6 * 0.15 + 1e-4
    assert logs[:, 1].std() > 0.02


def test_exposure_is_in_stops_of_light_and_clips() -> None:
    stops = taken(grey(), {"exposure": 1})[:, 0, 0, 0].square().div(0.25).log2()
    assert stops.min() < -0.8
    assert 0.8 < stops.max() <= 1
    assert taken(grey(level=0.95), {"exposure": 1}).max() == 1


def test_gamma_leaves_black_and_white_where_they_are() -> None:
    images = torch.tensor([0.0, 0.5, 1.0]).expand(64, 3, 1, 3)
    changed = taken(images, {"gamma": 0.3})
    assert changed[..., 0].max() == 0
    assert changed[..., 2].min() == 1
    assert changed[..., 1].min() == pytest.approx(0.5**1.3, abs=0.01)
    assert changed[..., 1].max() == pytest.approx(0.5**0.7, abs=0.01)


def test_noise_of_the_sensor_grows_as_the_root_of_the_light() -> None:
    deviations = []
    for level in (0.25, 0.75):
        light = taken(grey(16, level, side=64), {"sensor_noise": 0.02}).square()
        deviations.append(light.std((1, 2, 3)) / (level**2 + camera.READ_NOISE) ** 0.5)
    assert torch.allclose(deviations[0], deviations[1], rtol=0.1)
    assert 0.01 < deviations[0].max() <= 0.021


@pytest.mark.parametrize("cells", [8, 12, 17, 24])
def test_pixels_are_lost_as_by_torch_s_own_scaling(cells: int) -> None:
    images = noise(2, 24)
    matrix = camera._resampling(24, torch.full((2,), cells / 24))
    small = functional.interpolate(images, cells, mode="bilinear", antialias=True)
    expected = functional.interpolate(small, 24, mode="bilinear")
    torch.testing.assert_close(matrix @ images @ matrix.mT, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("key", ["resolution", "jpeg"])
def test_a_share_leaves_the_other_photos_as_they_are(key: str) -> None:
    images = noise(200, 16)
    changed = (taken(images, {key: 0.5}) != images).flatten(1).any(1)
    assert 60 < changed.sum() < 140


def test_a_photo_is_compressed_as_pillow_does(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(camera, "QUALITIES", (30, 30))
    (changed,) = taken(noise(1, 24), {"jpeg": 1})
    pixels = (noise(1, 24)[0] * 255).round().byte().permute(1, 2, 0).numpy()
    path = f"{tmp_path}/photo.jpg"
    Image.fromarray(pixels).save(path, quality=30)
    assert np.array_equal((changed * 255).round().byte().permute(1, 2, 0).numpy(), np.asarray(Image.open(path)))
