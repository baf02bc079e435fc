from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from edge_runtime.core.images import LETTERBOX_FILL, Fit, Pixels, Preprocessing
from edge_runtime.core.photo_limits import PhotoLimits, PhotoMeasures, explain_faults, faults, measure

LETTERBOX = Preprocessing(64)
GOOD = PhotoMeasures(side=100, brightness=0.5, white=0.1, sharpness=0.2)
LIMITS = PhotoLimits(least_side=40, least_brightness=0.09, most_white=0.6, least_sharpness=0.05)


def noise(height: int = 96, width: int = 96) -> Pixels:
    pixels: Pixels = np.random.default_rng(0).integers(60, 200, (height // 8, width // 8, 3)).astype(np.uint8)
    return np.asarray(pixels.repeat(8, axis=0).repeat(8, axis=1))


def measured(rgb: Pixels, preprocessing: Preprocessing = LETTERBOX) -> PhotoMeasures:
    return measure(rgb, preprocessing.apply(rgb), preprocessing)


def test_measures_of_a_photo_by_hand() -> None:
    half = np.zeros((64, 64, 3), np.uint8)
    half[:, 32:] = 255
    found = measured(half)
    assert (found.side, found.brightness, found.white) == (64, 0.5, 0.5)
    # Of 62 x 62 places, those of one column on each side of the edge have a Laplacian of 255 and -255.
    assert found.sharpness == pytest.approx((2 / 62) * 255**2 / 127.5**2, rel=1e-3)


def test_one_grey_has_no_sharpness_and_a_sliver_none_that_can_be_measured() -> None:
    assert measured(np.full((64, 64, 3), 90, np.uint8)).sharpness == 0.0
    assert measured(noise(32, 640)).sharpness is not None
    assert measured(noise(8, 6400)).sharpness is None


def test_light_is_not_taken_for_sharpness_and_blur_is() -> None:
    photo, darker = measured(noise()), measured((noise() // 4).astype(np.uint8))
    assert photo.sharpness is not None
    assert darker.brightness == pytest.approx(photo.brightness / 4, abs=0.005)
    assert darker.sharpness == pytest.approx(photo.sharpness, rel=0.05)
    blurred = measured(np.asarray(Image.fromarray(noise()).filter(ImageFilter.GaussianBlur(4))))
    assert blurred.sharpness is not None
    assert blurred.sharpness < photo.sharpness / 4
    assert blurred.brightness == pytest.approx(photo.brightness, abs=0.01)


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
@pytest.mark.parametrize("size", [(96, 96), (40, 200), (200, 40), (33, 65), (65, 64), (64, 65), (8, 1000)])
def test_the_border_of_a_letterbox_is_not_measured(fit: Fit, size: tuple[int, int]) -> None:
    preprocessing = Preprocessing(64, fit)
    black = np.zeros((*size, 3), np.uint8)
    inside = np.zeros((64, 64), dtype=bool)
    left, top, right, bottom = preprocessing.filled(size[1], size[0])
    inside[top:bottom, left:right] = True
    assert np.array_equal((preprocessing.apply(black) != LETTERBOX_FILL).all(axis=2), inside)
    assert measured(black, preprocessing).brightness == 0.0
    assert measured(black, preprocessing).side == min(size)


def test_a_photo_within_its_limits_has_no_fault() -> None:
    assert faults(GOOD, LIMITS) == []
    on_the_limits = PhotoMeasures(side=40, brightness=0.09, white=0.6, sharpness=0.05)
    assert faults(on_the_limits, LIMITS) == []
    assert faults(PhotoMeasures(1, 0.0, 1.0, 0.0), PhotoLimits()) == []
    assert faults(replace(GOOD, sharpness=None), LIMITS) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"brightness": 0.04},
            "The photo is too dark (mean brightness 4 %, at least 9 % is needed): add light and take it again.",
        ),
        (
            {"brightness": 0.0899},
            "The photo is too dark (mean brightness 8.99 %, at least 9.00 % is needed): add light and take it again.",
        ),
        (
            {"side": 39},
            "The photo is too small (its shorter side has 39 pixels, at least 40 are needed): "
            "go nearer and take it again.",
        ),
        (
            {"white": 0.9},
            "The photo is too bright (90 % of it is white, at most 60 % may be): "
            "take some light away and take it again.",
        ),
        (
            {"sharpness": 0.01, "side": 9},
            "The photo is too small (its shorter side has 9 pixels, at least 40 are needed) and too blurred (sharpness "
            "0.010, at least 0.050 is needed): go nearer, focus, hold the camera still and take it again.",
        ),
    ],
)
def test_all_that_is_wrong_is_said_with_its_mend(changes: dict[str, Any], says: str) -> None:
    assert explain_faults(faults(replace(GOOD, **changes), LIMITS)) == says
