"""Outlines of pills as signed distance fields: negative inside, in units of half the pill's length.

The formulas of the exact distances (segment, polygon) and the ellipse's first-order one are the usual ones of
constructive geometry: distance to the nearest edge, signed by the crossing number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from discern.sources.pills.design import PillDesign, Shape

Field = NDArray[np.float32]

ROUNDING = 0.16  # radius of a polygon's corners
POLYGONS: dict[Shape, tuple[int, float]] = {  # corners, angle of the first one (radians; y points down)
    "triangle": (3, -np.pi / 2),
    "pentagon": (5, -np.pi / 2),
    "hexagon": (6, 0.0),
}


def grid(side: int) -> tuple[Field, Field]:
    """Coordinates of the pixel centres of a square from -1 to 1: x and y, each [side, side]."""
    axis = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


def signed_distance(design: PillDesign, x: Field, y: Field) -> Field:
    """Distance of the points to the outline of `design`, negative inside; [H, W] from [H, W]."""
    if design.shape in {"round", "oval"}:
        return _ellipse(x, y, 1.0, design.ratio)
    if design.shape in {"oblong", "capsule"}:
        half = 1 - design.ratio
        return (np.hypot(x - np.clip(x, -half, half), y) - design.ratio).astype(np.float32)
    if design.shape == "heart":
        return _polygon(x, y, _heart()) - np.float32(0.06)
    return _polygon(x, y, _corners(design) * (1 - ROUNDING)) - np.float32(ROUNDING * 0.9)


def _corners(design: PillDesign) -> NDArray[np.float64]:
    if design.shape in POLYGONS:
        count, start = POLYGONS[design.shape]
        angles = start + 2 * np.pi * np.arange(count) / count
        shift = 0.14 if design.shape == "triangle" else 0.0
        return np.stack([np.cos(angles), np.sin(angles) + shift], axis=1)
    if design.shape == "diamond":
        return np.array([[1, 0], [0, design.ratio], [-1, 0], [0, -design.ratio]])
    half = np.array([0.78, 0.78]) if design.shape == "square" else np.array([0.98, design.ratio])
    return np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * half


def _heart() -> NDArray[np.float64]:
    """The curve 16 sin^3 t, 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, scaled to the unit square."""
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y - 2.5], axis=1) / 17.6


def _ellipse(x: Field, y: Field, a: float, b: float) -> Field:
    """First-order distance to an ellipse: k0 (k0 - 1) / k1; exact for a circle and on the outline."""
    k0 = np.hypot(x / a, y / b)
    k1 = np.hypot(x / (a * a), y / (b * b)) + np.float32(1e-6)
    return np.maximum(k0 * (k0 - 1) / k1, np.float32(-min(a, b))).astype(np.float32)


def _polygon(x: Field, y: Field, corners: NDArray[np.float64]) -> Field:
    nearest = np.full_like(x, np.inf)
    inside = np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        ex, ey, px, py = np.float32(bx - ax), np.float32(by - ay), x - np.float32(ax), y - np.float32(ay)
        along = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, np.hypot(px - along * ex, py - along * ey))
        if ey != 0:
            inside ^= ((y >= ay) != (y >= by)) & (px < py * ex / ey)
    return np.where(inside, -nearest, nearest).astype(np.float32)
