"""Different small things before one fixed camera change a picture; saving it in another way does not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.local_change import View, coarse_change, local_change
from edge_runtime.core.images import Pixels, decode

CONFIG = CleaningConfig()
SIDE = 320


def scene(share: float, colour: str, *, shape: str = "ellipse", noise: int = 0, at: float = 0.5) -> Pixels:
    """A thing of `share` of the width on the one table there is, with the sensor's noise."""
    table = np.random.default_rng(1).integers(90, 150, (9, 9, 3), dtype=np.uint8)
    image = Image.fromarray(table).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    half = share * SIDE / 2
    middle = at * SIDE
    draw = ImageDraw.Draw(image)
    getattr(draw, shape)((middle - half, middle - half / 2, middle + half, middle + half / 2), fill=colour)
    grain = np.random.default_rng(100 + noise).normal(0, 3, (SIDE, SIDE, 3))
    lens = image.filter(ImageFilter.GaussianBlur(1))
    return np.clip(np.asarray(lens) + grain, 0, 255).astype(np.uint8)


def saved(rgb: Pixels, scale: float = 1, quality: int = 75, light: float = 1) -> Pixels:
    lit = Image.fromarray(np.clip(rgb * light, 0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    lit.resize((round(scale * SIDE),) * 2, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=quality)
    return decode(buffer.getvalue())


def change(one: Pixels, other: Pixels) -> float:
    return local_change(View.of(one), View.of(other))


@pytest.mark.parametrize("share", [1 / 20, 1 / 10, 1 / 6, 1 / 3])
def test_two_things_on_one_table_differ(share: float) -> None:
    white = scene(share, "white")
    for other in (scene(share, "orange", noise=1), scene(share, "black", noise=1), scene(share, "white", at=0.7)):
        assert change(white, other) > CONFIG.near_change > CONFIG.same_change


@pytest.mark.parametrize("share", [1 / 20, 1 / 3])
@pytest.mark.parametrize(
    ("scale", "quality", "light"), [(1, 30, 1), (0.5, 80, 1), (2, 60, 1), (1, 85, 1.1), (1, 85, 0.85)]
)
def test_a_copy_does_not_differ(share: float, scale: float, quality: int, light: float) -> None:
    rgb = scene(share, "orange")
    assert change(rgb, saved(rgb, scale, quality, light)) < CONFIG.near_change
    assert coarse_change(View.of(rgb), View.of(saved(rgb, scale, quality, light))) < CONFIG.near_change


def test_the_next_frame_of_a_still_thing_does_not_differ() -> None:
    assert change(scene(1 / 10, "orange"), scene(1 / 10, "orange", noise=1)) < CONFIG.same_change


def test_a_change_is_the_same_both_ways_and_none_in_equal_pictures() -> None:
    one, other = scene(1 / 10, "white"), scene(1 / 10, "orange")
    assert change(one, other) == pytest.approx(change(other, one), rel=0.05)
    assert change(one, one) == 0


def test_a_coarse_look_sees_large_things_alone() -> None:
    large, small = (View.of(scene(share, "black")) for share in (1 / 3, 1 / 40))
    nothing = View.of(scene(0.001, "black"))
    assert coarse_change(large, nothing) > CONFIG.near_change > coarse_change(small, nothing)
    assert coarse_change(large, large) == 0


def test_a_picture_smaller_than_the_views_is_compared_at_its_own_size() -> None:
    tiny = View.of(scene(1 / 3, "white")[::10, ::10])
    assert tiny.fine.shape == (32, 32, 3)
    assert local_change(tiny, tiny) == 0
