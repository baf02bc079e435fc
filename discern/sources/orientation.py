"""EXIF's orientation: how the pixels of a file lie, and where a box of them lies in the upright picture."""

from __future__ import annotations

import io

from PIL import Image

from edge_runtime.core.images import DAMAGE, FORMATS, Box

TAG = 0x0112  # of EXIF 2.32
UPRIGHT = 1
SIDEWAYS = frozenset({5, 6, 7, 8})  # the others keep width and height


def orientation_of(data: bytes) -> int:
    """Return EXIF's orientation of an encoded picture, 1 to 8; 1 where it states none."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            value = image.getexif().get(TAG)
    except (*DAMAGE, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return UPRIGHT
    return value if isinstance(value, int) and value in range(1, 9) else UPRIGHT


def turned_size(size: tuple[float, float], orientation: int) -> tuple[float, float]:
    """Return width and height of a picture after it is turned upright, or, which is the same, before."""
    width, height = size
    return (height, width) if orientation in SIDEWAYS else (width, height)


def turned_box(box: Box, size: tuple[float, float], orientation: int) -> Box:
    """Return where a box lies after its picture is turned upright.

    Args:
        box: pixels of the picture as its file holds it.
        size: width and height of that picture.
        orientation: EXIF's, 1 to 8.
    """
    left, top, right, bottom = box
    width, height = size
    if orientation in SIDEWAYS:  # mirrored at the diagonal, and then as the others are
        left, top, right, bottom = top, left, bottom, right
        width, height = height, width
    if orientation in {2, 3, 6, 7}:
        left, right = width - right, width - left
    if orientation in {3, 4, 7, 8}:
        top, bottom = height - bottom, height - top
    return left, top, right, bottom
