from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cameras import CAMERAS, Camera, photograph
from discern.sources.pills import PillsConfig, render_photo
from edge_runtime.core.images import Pixels

PHOTO = render_photo(PillsConfig(families=1, photos_per_class=1), 0, 0)


def grey(value: int) -> Pixels:
    return np.full((48, 48, 3), value, np.uint8)


def taken(photo: Pixels, **changes: float) -> Pixels:
    return photograph(photo, Camera(**changes), 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CAMERAS)
def test_a_camera_takes_the_same_photo_in_the_same_way_and_others_with_other_noise(name: str) -> None:
    camera = CAMERAS[name]
    photo = photograph(PHOTO, camera, 3)
    side = round(96 * camera.resolution)
    assert (photo.shape, photo.dtype) == ((side, side, 3), np.uint8)
    assert np.array_equal(photograph(PHOTO, camera, 3), photo)
    assert not np.array_equal(photograph(PHOTO, camera, 4), photo)


def test_the_cameras_differ_from_the_first_one_and_from_each_other() -> None:
    means = [PHOTO.mean((0, 1)), *(photograph(PHOTO, camera, 0).mean((0, 1)) for camera in CAMERAS.values())]
    assert all(np.abs(means[i] - means[j]).max() > 5 for i in range(4) for j in range(i))


def test_a_camera_that_changes_nothing_leaves_the_photo_but_for_its_jpeg() -> None:
    assert np.abs(taken(PHOTO).astype(int) - PHOTO).mean() < 3


def test_each_part_of_a_camera_does_what_its_name_says() -> None:
    assert taken(grey(128), gains=(1.3, 1, 0.7))[..., 0].mean() > 135  # type: ignore[arg-type]
    corners = taken(grey(128), vignette=0.5)
    assert corners[24, 24].mean() - corners[0, 0].mean() > 25
    assert taken(grey(10), haze=0.1).min() > 60
    assert np.ptp(taken(PHOTO, saturation=0).mean((0, 1))) < 2
    edge = np.concatenate([grey(60)[:, :24], grey(180)[:, :24]], 1)
    assert taken(edge, sharpening=1.5).max() > 190
    assert taken(edge, blur=4)[24, 26].mean() < 170
    assert taken(grey(128), noise=0.1).std() > 5
    assert taken(grey(60), contrast=1.4).mean() < 50
    assert taken(grey(128), contrast=1.4).mean() == pytest.approx(128, abs=2)
