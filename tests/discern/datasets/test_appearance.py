from __future__ import annotations

import numpy as np
from PIL import Image

from discern.datasets.appearance import LENGTH, describe, vectors
from edge_runtime.core.images import Pixels, decode
from tests.discern.pictures import jpeg


def stripes(colour: tuple[int, int, int], *, across: bool) -> Pixels:
    pixels: Pixels = np.full((80, 60, 3), 200, np.uint8)
    if across:
        pixels[::20] = pixels[1::20] = pixels[2::20] = pixels[3::20] = colour
    else:
        pixels[:, ::20] = pixels[:, 1::20] = pixels[:, 2::20] = pixels[:, 3::20] = colour
    return pixels


def test_a_description_has_a_fixed_length_and_is_a_vector_of_unit_length() -> None:
    some = [describe(decode(jpeg(number))) for number in range(3)]
    assert {len(one) for one in some} == {LENGTH}
    assert vectors(some).shape == (3, LENGTH)
    np.testing.assert_allclose(np.linalg.norm(vectors(some), axis=1), 1, atol=1e-5)
    assert vectors([]).shape == (0, LENGTH)


def test_colours_and_the_directions_of_edges_count() -> None:
    pictures = [stripes((200, 30, 30), across=True), stripes((200, 30, 30), across=False)]
    pictures.append(stripes((30, 30, 200), across=True))
    red, turned, blue = vectors([describe(one) for one in pictures])
    assert turned @ blue < min(red @ blue, red @ turned)
    assert max(red @ blue, red @ turned) < 0.9


def test_scale_changes_little_and_even_pictures_have_no_edges() -> None:
    picture = stripes((200, 30, 30), across=True)
    double = np.asarray(Image.fromarray(picture).resize((120, 160), Image.Resampling.BICUBIC))
    small, large = vectors([describe(picture), describe(double)])
    assert small @ large > 0.8
    even = describe(np.full((40, 40, 3), 9, np.uint8))
    assert np.isfinite(vectors([even])).all()
