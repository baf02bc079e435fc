from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from discern.sources.orientation import orientation_of, turned_box, turned_size
from edge_runtime.core.images import decode

RAW = (40, 24)
THING = (6, 3, 17, 10)  # in the picture as its file holds it


def turned(orientation: int | None, kind: str = "PNG", size: tuple[int, int] = RAW) -> bytes:
    """A picture with a white thing, and EXIF's word on how it lies."""
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), THING)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_where_the_decoder_shows_its_thing(orientation: int) -> None:
    pixels = decode(turned(orientation))
    rows, columns = np.nonzero(pixels[..., 0])
    shown = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert turned_box(THING, RAW, orientation) == shown
    assert turned_size(RAW, orientation) == (pixels.shape[1], pixels.shape[0])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_read(kind: str, orientation: int) -> None:
    assert orientation_of(turned(orientation, kind)) == orientation


def test_what_states_none_is_upright() -> None:
    assert [orientation_of(data) for data in (turned(None), turned(0), turned(9), b"", b"text")] == [1] * 5
