"""The surface that the pills lie on: plain card, paper, cloth, wood, stone, a tray; linear RGB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOURS = np.array(  # sRGB
    [
        (0.93, 0.93, 0.92), (0.84, 0.84, 0.83), (0.62, 0.63, 0.64), (0.36, 0.37, 0.39), (0.17, 0.18, 0.20),
        (0.87, 0.82, 0.72), (0.66, 0.52, 0.37), (0.46, 0.32, 0.21), (0.30, 0.42, 0.55), (0.60, 0.70, 0.78),
        (0.32, 0.45, 0.40), (0.72, 0.76, 0.68), (0.62, 0.40, 0.36),
    ],
    dtype=np.float32,
)  # fmt: skip
WOODS = np.array([(0.72, 0.55, 0.37), (0.55, 0.38, 0.24), (0.38, 0.25, 0.16), (0.80, 0.68, 0.50)], dtype=np.float32)


def background(rng: np.random.Generator, size: int, clutter: float) -> NDArray[np.float32]:
    """A surface to lay a pill on: linear reflectance, float32 [size, size, 3]."""
    kind = int(rng.choice(6, p=_chances(clutter)))
    colour = (WOODS if kind == 3 else COLOURS)[int(rng.integers(4 if kind == 3 else len(COLOURS)))]
    tone = 1 + np.float32(0.35 + 0.65 * clutter) * _TEXTURES[kind](rng, size)
    shade = colour + rng.normal(0, 0.02, 3).astype(np.float32)
    return (np.clip(shade * tone[..., None], 0.02, 1.0) ** 2.2).astype(np.float32)


def _chances(clutter: float) -> NDArray[np.float64]:
    plain = 0.75 - 0.55 * clutter
    return np.array([plain, *[(1 - plain) / 5] * 5])


def noise(rng: np.random.Generator, size: int, cells: tuple[int, int]) -> NDArray[np.float32]:
    """Smooth noise from about -1 to 1 with `cells` (across, down) bumps, float32 [size, size]."""
    across, down = cells
    coarse = rng.uniform(-1, 1, (down, across)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def _plain(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    return noise(rng, size, (4, 4)) * np.float32(0.04)


def _paper(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    return 0.05 * noise(rng, size, (size // 2, size // 2)) + 0.05 * noise(rng, size, (7, 7))


def _cloth(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    period, turn = rng.uniform(0.035, 0.07), rng.uniform(0, np.pi)
    axis = np.arange(size, dtype=np.float32) / size * np.float32(2 * np.pi / period)
    x, y = axis[None, :], axis[:, None]
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    weave = np.sin(x * cos + y * sin) * np.sin(y * cos - x * sin)
    return 0.16 * weave + 0.06 * noise(rng, size, (size // 3, size // 3))


def _wood(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    rings = noise(rng, size, (2, 9)) * np.float32(rng.uniform(4, 8))
    fibres = noise(rng, size, (3, size // 2))
    field = 0.12 * np.sin(rings) + 0.08 * fibres
    return field if rng.random() < 0.5 else field.T


def _stone(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    return 0.14 * noise(rng, size, (6, 6)) + 0.12 * noise(rng, size, (22, 22)) + 0.1 * noise(rng, size, (size, size))


def _tray(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """A flat floor with one raised edge: a light line beside a dark one."""
    turn, at = rng.uniform(0, 2 * np.pi), np.float32(rng.uniform(0.3, 0.48))
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    across = axis[None, :] * np.float32(np.cos(turn)) + axis[:, None] * np.float32(np.sin(turn)) - at
    light, dark = np.exp(-((across / 0.02) ** 2)), np.exp(-(((across + 0.05) / 0.025) ** 2))
    return (0.22 * light - 0.25 * dark - 0.1 * (across > 0)).astype(np.float32)


_TEXTURES = (_plain, _paper, _cloth, _wood, _stone, _tray)
