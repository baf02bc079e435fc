"""A cheap description of what a photo looks like: its colours, and the directions of its edges.

`LENGTH` bytes a photo, measured when it is ingested and kept in the manifest, so that photos can be compared before
there is a model, and without decoding them again. Of 729 groceries of 81 classes with 9 random labels changed, 7.8 of
the 9 were among the 24 photos that look most like another class by it; by colours alone, or with local binary patterns
or thumbnails beside them, as many, by edges alone 1.7.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.core.images import Pixels

SIDE = 64  # pixels to which a photo is scaled
HUES, SATURATIONS, VALUES = 12, 4, 4
COLOURS = HUES * SATURATIONS * VALUES
CELLS, DIRECTIONS = 4, 8
LENGTH = COLOURS + CELLS * CELLS * DIRECTIONS
EDGE_WEIGHT = 0.5  # beside the colours' 1

Vectors = NDArray[np.float32]


def describe(rgb: Pixels) -> bytes:
    """Describe a photo, uint8 [h, w, 3], in `LENGTH` bytes.

    First the square roots of the shares of colours (hue, saturation and value), then histograms of oriented gradients
    (Dalal and Triggs, CVPR 2005) of `CELLS` x `CELLS` cells; both are of unit length but for rounding.
    """
    from skimage.feature import hog  # takes a while to import

    small = Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2)
    hue, saturation, value = np.moveaxis(np.asarray(small.convert("HSV")).astype(np.int64), 2, 0)
    bins = (hue * HUES // 256 * SATURATIONS + saturation * SATURATIONS // 256) * VALUES + value * VALUES // 256
    colours = np.sqrt(np.bincount(bins.ravel(), minlength=COLOURS) / bins.size)
    cell = SIDE // CELLS
    edges = hog(np.asarray(small.convert("L")), DIRECTIONS, (cell, cell), (1, 1))
    edges /= max(1e-9, float(np.linalg.norm(edges)))
    return bytes(np.rint(255 * np.concatenate([colours, edges])).astype(np.uint8).tobytes())


def vectors(descriptions: Sequence[bytes]) -> Vectors:
    """Return descriptions as vectors of unit length, [n, `LENGTH`]."""
    data = np.frombuffer(b"".join(descriptions), np.uint8).reshape(-1, LENGTH).astype(np.float32)
    data[:, COLOURS:] *= EDGE_WEIGHT
    return data / np.maximum(np.linalg.norm(data, axis=1, keepdims=True), 1e-9)
