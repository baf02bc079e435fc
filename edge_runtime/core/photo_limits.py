"""Photos that cannot be used: too small, too dark, too bright or too blurred for the model that is asked.

The limits travel with the release: each model breaks down elsewhere, and they are fitted to its answers. All but the
side are measured in the model's input, without the border that `letterbox` adds, so that a photo is judged by what the
model sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.core.images import Pixels, Preprocessing
from edge_runtime.core.readable import percents_apart, told_apart

WHITE = 250  # grey levels of 255: JPEG and the resize leave a white that was clipped a little below 255
LEAST_SIDE = 3  # pixels that a Laplacian takes


@dataclass(frozen=True)
class PhotoMeasures:
    """Measures of one photo, or of what is inside a box of it.

    Attributes:
        side: the shorter side of what is identified, pixels of the photo.
        brightness: mean grey, 0 to 1.
        white: share of the pixels that are white, 0 to 1; there the sensor's range ended, or the thing is white.
        sharpness: variance of the Laplacian (Pech-Pacheco et al., ICPR 2000) over the variance of the grey levels, so
            that little light is not taken for blur; 0 where all is one grey; None where it is too narrow for one.
    """

    side: int
    brightness: float
    white: float
    sharpness: float | None


@dataclass(frozen=True)
class PhotoLimits:
    """Limits of a photo that can be used; None where the model's answers set none.

    Attributes:
        least_side: pixels.
        least_brightness: mean grey, 0 to 1.
        most_white: share of the pixels, 0 to 1.
        least_sharpness: as `PhotoMeasures.sharpness`.
    """

    least_side: int | None = None
    least_brightness: float | None = None
    most_white: float | None = None
    least_sharpness: float | None = None


@dataclass(frozen=True)
class PhotoFault:
    """One thing that is wrong with a photo: what, as in "too dark (...)", and the mend, as in "add light"."""

    what: str
    mend: str


def measure(rgb: Pixels, pixels: Pixels, preprocessing: Preprocessing) -> PhotoMeasures:
    """Measure a photo.

    Args:
        rgb: [H, W, 3] uint8, what is identified.
        pixels: [size, size, 3] uint8, the model's input that `preprocessing` makes of it.
        preprocessing: the model's.
    """
    height, width = rgb.shape[:2]
    image = Image.fromarray(pixels).convert("L").crop(preprocessing.filled(width, height))
    levels = np.array(image.histogram(), dtype=np.float64)
    levels /= levels.sum()
    mean = float(levels @ np.arange(256))
    variance = float(levels @ (np.arange(256) - mean) ** 2)
    return PhotoMeasures(
        side=min(height, width),
        brightness=mean / 255,
        white=float(levels[WHITE:].sum()),
        sharpness=_sharpness(np.asarray(image, dtype=np.int16), variance),
    )


def faults(measures: PhotoMeasures, limits: PhotoLimits) -> list[PhotoFault]:
    """Return all that is wrong with a photo."""
    checks = (
        _too_small(measures.side, limits.least_side),
        _too_dark(measures.brightness, limits.least_brightness),
        _too_bright(measures.white, limits.most_white),
        _too_blurred(measures.sharpness, limits.least_sharpness),
    )
    return [fault for fault in checks if fault is not None]


def unusable(rgb: Pixels, pixels: Pixels, preprocessing: Preprocessing, limits: PhotoLimits | None) -> str:
    """Return one sentence about what is wrong with a photo; "" where it can be used. Arguments as for `measure`."""
    if limits is None:
        return ""
    found = faults(measure(rgb, pixels, preprocessing), limits)
    return explain_faults(found) if found else ""


def explain_faults(found: Sequence[PhotoFault]) -> str:
    """Say what is wrong with a photo, at least one thing, and the mends, in one sentence."""
    mends = list(dict.fromkeys(fault.mend for fault in found))
    return f"The photo is {' and '.join(fault.what for fault in found)}: {', '.join(mends)} and take it again."


def _sharpness(grey: NDArray[np.int16], variance: float) -> float | None:
    if min(grey.shape) < LEAST_SIDE:
        return None
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return float(laplacian.var(dtype=np.float32) / variance) if variance > 0 else 0.0


def _too_small(side: int, least: int | None) -> PhotoFault | None:
    if least is None or side >= least:
        return None
    what = f"too small (its shorter side has {side} pixels, at least {least} are needed)"
    return PhotoFault(what, "go nearer")


def _too_dark(brightness: float, least: float | None) -> PhotoFault | None:
    if least is None or brightness >= least:
        return None
    has, needed = percents_apart(brightness, least)
    return PhotoFault(f"too dark (mean brightness {has}, at least {needed} is needed)", "add light")


def _too_bright(white: float, most: float | None) -> PhotoFault | None:
    if most is None or white <= most:
        return None
    has, allowed = percents_apart(white, most)
    return PhotoFault(f"too bright ({has} of it is white, at most {allowed} may be)", "take some light away")


def _too_blurred(sharpness: float | None, least: float | None) -> PhotoFault | None:
    if least is None or sharpness is None or sharpness >= least:
        return None
    has, needed = told_apart(sharpness, least)
    what = f"too blurred (sharpness {has}, at least {needed} is needed)"
    return PhotoFault(what, "focus, hold the camera still")
