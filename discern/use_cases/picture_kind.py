"""The kind of some pictures: photos in colour, or what nets that learnt from photos know little of. Pure."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edge_runtime.core.images import Pixels, Preprocessing

PictureKind = Literal["photos", "grey", "drawings"]

SEEN = Preprocessing(64, "stretch")  # the pictures that are judged: without padding, which would count as drawn
COLOUR = 4.0  # grey levels between the channels, on average: a camera's grey things have more, a scanner's fewer
FLAT = 0.7  # share of pixels like their neighbour, above which nothing but a drawing lies


def kind_of(pixels: Pixels) -> PictureKind:
    """Return the kind of the median picture.

    Args:
        pixels: [n, 64, 64, 3] uint8, by `SEEN`.
    """
    colour = (pixels.max(axis=3) - pixels.min(axis=3)).mean(axis=(1, 2))
    if np.median(colour) < COLOUR:
        return "grey"
    luma = pixels.mean(axis=3)
    flat = (np.abs(np.diff(luma, axis=2)) <= 1).mean(axis=(1, 2))
    return "drawings" if np.median(flat) > FLAT else "photos"
