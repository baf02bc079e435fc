"""The surface of a class of pill, seen from straight above: colour, normals and outline, computed once a class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from discern.sources.pills.design import PillDesign
from discern.sources.pills.imprint import imprint_coverage
from discern.sources.pills.shapes import Field, grid, signed_distance

EXTENT = 0.94  # half the pill's length over half the relief's side
STEEPEST = 2.2  # slopes are cut there: a rim of 90 degrees has no normal of its own in a height map


@dataclass(frozen=True)
class Relief:
    """A pill's surface, square, `side` x `side`.

    Args:
        albedo: linear RGB reflectance, float32 [side, side, 3]; goes on beyond the outline.
        normals: unit vectors, x right, y down, z to the viewer, float32 [3, side, side].
        mask: uint8 [side, side], 255 inside the outline.
        grains: what speckles multiply the albedo by, float32 [side, side], or None; they tile.
    """

    albedo: NDArray[np.float32]
    normals: NDArray[np.float32]
    mask: NDArray[np.uint8]
    grains: NDArray[np.float32] | None


@lru_cache(maxsize=16)
def build_relief(design: PillDesign, side: int) -> Relief:
    """The surface of `design` at `side` x `side` pixels."""
    x, y = (axis / np.float32(EXTENT) for axis in grid(side))
    pixel = 2 / side / EXTENT
    distance = signed_distance(design, x, y)
    text = imprint_coverage(design, distance, side * EXTENT / 2)
    groove = _score_groove(design, x, y)
    height = _height(design, x, y, distance)
    if design.imprint_style != "printed":
        depth = 0.07 if design.imprint_style == "debossed" else -0.07
        height = height - depth * _smooth(text, 1)
    height = height - 0.09 * groove
    return Relief(
        albedo=_albedo(design, x, text, groove),
        normals=_normals(_smooth(height, 1), pixel),
        mask=np.rint(np.clip(0.5 - distance / pixel, 0, 1) * 255).astype(np.uint8),
        grains=_grains(design, side),
    )


def _height(design: PillDesign, x: Field, y: Field, distance: Field) -> Field:
    depth = np.maximum(-distance, 0)
    if design.shape == "capsule":
        rise = np.clip(depth / design.ratio, 0, 1)
        cap = 0.02 * np.clip((x - 0.02) / 0.02, 0, 1)  # the cap overlaps the body
        return (design.ratio * np.sqrt(1 - (1 - rise) ** 2) + cap).astype(np.float32)
    rim = 1 - np.clip(depth / design.bevel, 0, 1)
    if design.shape == "oblong":
        dome = 1 - (1 - np.clip(depth / design.ratio, 0, 1)) ** 2
    else:
        dome = 1 - np.minimum(x**2 + (y / design.ratio) ** 2, 1.5)
    return (design.dome * dome - 0.7 * design.bevel * rim**2).astype(np.float32)


def _score_groove(design: PillDesign, x: Field, y: Field) -> Field:
    if design.score == "none":
        return np.zeros_like(x)
    across = x if design.score == "across" else y
    return np.exp(-((across / 0.035) ** 2)).astype(np.float32)


def _albedo(design: PillDesign, x: Field, text: Field, groove: Field) -> NDArray[np.float32]:
    colours = np.array(design.colours, dtype=np.float32) ** 2.2
    share = np.clip(x / 0.02 + 0.5, 0, 1)[..., None]
    albedo = colours[0] * (1 - share) + colours[-1] * share
    if design.imprint_style == "printed":
        ink = np.array(design.ink, dtype=np.float32) ** 2.2
        cover = 0.92 * text[..., None]
        albedo = albedo * (1 - cover) + ink * cover
    # Less of the sky reaches a groove; what stands out is rubbed lighter.
    hollow = {"debossed": 0.28, "embossed": -0.12, "printed": 0.0}[design.imprint_style] * text
    return (albedo * (1 - np.where(groove > 0.1, 0.5 * groove, hollow))[..., None]).astype(np.float32)


def _grains(design: PillDesign, side: int) -> Field | None:
    if not design.speckle:
        return None
    noise = np.random.default_rng(design.grain).random((side, side), dtype=np.float32)
    dots = _smooth((noise > 0.965).astype(np.float32), 1)
    return 1 - design.speckle * np.clip(4 * dots, 0, 1)


def _normals(height: Field, pixel: float) -> NDArray[np.float32]:
    down, right = np.gradient(height, pixel)
    steep = np.maximum(np.hypot(down, right), 1e-6)
    cut = np.minimum(steep, STEEPEST) / steep
    normals = np.stack([-right * cut, -down * cut, np.ones_like(height)])
    return (normals / np.sqrt((normals**2).sum(axis=0))).astype(np.float32)


def _smooth(field: Field, times: int) -> Field:
    """Blur by the 3 x 3 binomial kernel, `times` times."""
    for _ in range(times):
        padded = np.pad(field, 1, mode="edge")
        rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
        field = (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4
    return field.astype(np.float32)
