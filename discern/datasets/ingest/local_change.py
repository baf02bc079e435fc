"""The largest local difference of two pictures: a small thing before a fixed camera changes a few pixels much.

Both pictures are scaled to `FINE` pixels and to one brightness, and smoothed a little. A pixel differs by how far it
lies outside the range of the other picture's pixels around it, so that edges which moved by a pixel do not count. The
change is the largest mean over a small window, as a share of the contrast of both.

Measured on 360 pairs of different rendered pills on one background each, of 1/20 to 1/3 of its width, and on copies of
them: the pairs change by .05 to .53 at least and .81 in the middle from 1/10 on, and those below .25 are pills of 1/20
whose colour is nearly the background's. Nine of ten copies of JPEG quality 30, of half or double size, cropped by 2 %,
or 8 to 10 % lighter or darker change by less than .15; a crop by 4 % changes as much as another pill does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

from edge_runtime.core.images import Pixels

FINE = 128  # pixels at which pictures are compared; a smaller picture is compared at its own size
COARSE = 32  # pixels at which most pictures that differ are told apart
COLOUR = (5, 5, 1)  # pixels over which colour is smoothed
AROUND = (3, 3, 1)  # a pixel and those around it, in each channel
WINDOW = 40  # windows along a side
EXPOSURE = (0.7, 1.4)  # what one picture may be lighter than the other
MIN_CONTRAST = 48.0  # grey levels; in a picture with less the noise counts for no more
DARKEST = 8.0  # grey levels added to both before their brightness is compared

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A picture as it is compared.

    Args:
        fine: uint8 [s, s, 3], s at most `FINE`.
        coarse: uint8 [`COARSE`, `COARSE`, 3].
        low: the least of each coarse pixel and those around it, likewise.
        high: the greatest, likewise.
        brightness: median of the sum of the channels.
        contrast: from the darkest coarse pixel to the lightest, grey levels.
    """

    fine: Pixels
    coarse: Pixels
    low: Pixels
    high: Pixels
    brightness: float
    contrast: float

    @classmethod
    def of(cls, rgb: Pixels) -> View:
        """Scale a picture, uint8 [h, w, 3]."""
        image = Image.fromarray(rgb)
        side = min(FINE, max(image.size))
        fine = image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2)
        coarse = np.asarray(fine.resize((COARSE, COARSE), Image.Resampling.BICUBIC))
        low, high = minimum_filter(coarse, AROUND), maximum_filter(coarse, AROUND)
        brightness = float(np.median(coarse.sum(axis=2, dtype=np.int32)))
        return cls(np.asarray(fine), coarse, low, high, brightness, float(np.ptp(coarse.mean(axis=2))))


def local_change(one: View, other: View) -> float:
    """Return the largest local difference of two pictures, as a share of their contrast; 0 for equal ones."""
    side = min(one.fine.shape[0], other.fine.shape[0])
    a, b = _equally_light(_shrunk(one.fine, side), _shrunk(other.fine, side), _exposure(one, other))
    a, b = _smoothed(a), _smoothed(b)
    contrast = max(MIN_CONTRAST, *(float(np.ptp(x.mean(axis=2))) for x in (a, b)))
    window = max(3, side // WINDOW)
    return float(uniform_filter(_outside(a, b), window).max()) / contrast


def coarse_change(one: View, other: View) -> float:
    """Return the change at `COARSE` pixels: two hundred times as fast as `local_change`, and seldom more."""
    exposure = _exposure(one, other)
    upper = ((one.coarse, other.high), (one.low, other.coarse))
    lower = ((one.high, other.coarse), (one.coarse, other.low))
    above = max(float(np.subtract(*_equally_light(a, b, exposure)).max()) for a, b in upper)
    below = max(float(np.subtract(*_equally_light(a, b, exposure)[::-1]).max()) for a, b in lower)
    return max(above, below, 0.0) / max(MIN_CONTRAST, one.contrast, other.contrast)


def _outside(a: Floats, b: Floats) -> Floats:
    """How far pixels of either lie outside the range of the other's around them, [h, w, 3] each to [h, w]."""
    low_a, high_a = minimum_filter(a, AROUND), maximum_filter(a, AROUND)
    low_b, high_b = minimum_filter(b, AROUND), maximum_filter(b, AROUND)
    outside: Floats = np.maximum.reduce([a - high_b, low_b - a, b - high_a, low_a - b, np.zeros_like(a)]).max(axis=2)
    return outside


def _smoothed(rgb: Floats) -> Floats:
    """Smooth a picture, and its colour more than its lightness: JPEG halves the resolution of colour."""
    lightness = rgb.mean(axis=2, keepdims=True)
    smoothed: Floats = uniform_filter(lightness, AROUND) + uniform_filter(rgb - lightness, COLOUR)
    return smoothed


def _equally_light(a: NDArray[Any], b: NDArray[Any], exposure: float) -> tuple[Floats, Floats]:
    """Lighten the darker of two pictures, as a camera does: what is white in the lighter one is white in both."""
    gains = (max(1.0, 1 / exposure), max(1.0, exposure))
    return np.minimum(a * np.float32(gains[0]), 255), np.minimum(b * np.float32(gains[1]), 255)


def _exposure(one: View, other: View) -> float:
    """What `other` is multiplied by to be as light as `one`."""
    return float(np.clip((one.brightness + DARKEST) / (other.brightness + DARKEST), *EXPOSURE))


def _shrunk(fine: Pixels, side: int) -> Floats:
    if fine.shape[0] != side:
        fine = np.asarray(Image.fromarray(fine).resize((side, side), Image.Resampling.BICUBIC))
    return fine.astype(np.float32)
