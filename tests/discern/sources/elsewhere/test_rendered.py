from __future__ import annotations

import numpy as np

from discern.sources.elsewhere.rendered import SIDE, rendered_photo


def test_a_photo_is_a_function_of_its_number() -> None:
    for number in range(12):
        assert np.array_equal(rendered_photo(number), rendered_photo(number))
        assert not np.array_equal(rendered_photo(number), rendered_photo(number + 12))


def test_photos_have_the_frames_of_cameras() -> None:
    shapes = {rendered_photo(number).shape for number in range(30)}
    assert shapes == {(SIDE, SIDE, 3), (SIDE, 72, 3), (72, SIDE, 3)}


def test_no_photo_is_of_one_colour_alone() -> None:
    assert all(len(np.unique(rendered_photo(number).reshape(-1, 3), axis=0)) > 3 for number in range(60))
