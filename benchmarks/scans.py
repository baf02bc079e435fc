"""A stand-in for Medical MNIST: six classes of grey pictures of 64 pixels, drawn here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from discern.sources.pills.background import noise
from edge_runtime.core.images import Pixels

SIDE = 64
_X, _Y = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
Plane = NDArray[np.floating]


def scan(label: str, number: int) -> Pixels:
    """Draw a picture of a class, uint8 [64, 64, 3], three equal channels: a pure function of its number."""
    rng = np.random.default_rng([list(CLASSES).index(label), number])
    light = CLASSES[label](rng) + 0.08 * noise(rng, SIDE, (12, 12)) + rng.normal(0, 0.02, (SIDE, SIDE))
    grey = np.rint(np.clip(light * rng.uniform(0.85, 1.15), 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def draw_scans(folder: Path, each: int) -> Path:
    """Write pictures of every class as grey JPEGs, in the data set's folders."""
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for number in range(each):
            picture = Image.fromarray(scan(label, number)[..., 0])
            picture.save(folder / label / f"{number:06d}.jpeg", quality=90)
    return folder


def _ellipse(rng: np.random.Generator, width: float, height: float, soft: float = 0.05) -> Plane:
    """1 inside an ellipse about the middle and 0 outside, with a soft edge."""
    x, y = _X - rng.normal(0, 0.08), _Y - rng.normal(0, 0.08)
    width, height = width * rng.uniform(0.9, 1.1), height * rng.uniform(0.9, 1.1)
    return 1 / (1 + np.exp((np.hypot(x / width, y / height) - 1) / soft))


def _abdomen(rng: np.random.Generator) -> Plane:
    return 0.5 * _ellipse(rng, 0.9, 0.6) + 0.25 * noise(rng, SIDE, (6, 6)) * _ellipse(rng, 0.8, 0.5)


def _breast(rng: np.random.Generator) -> Plane:
    return 0.6 * (_ellipse(rng, 0.35, 0.5) * (_Y > -0.4)) + 0.3 * np.roll(_ellipse(rng, 0.3, 0.45), 18, axis=1)


def _chest_x_ray(rng: np.random.Generator) -> Plane:
    lungs = np.roll(_ellipse(rng, 0.3, 0.65), -15, axis=1) + np.roll(_ellipse(rng, 0.3, 0.65), 15, axis=1)
    ribs = 0.06 * np.sin(_Y * rng.uniform(22, 28) + rng.uniform(0, 6))
    return 0.7 - 0.45 * lungs + ribs


def _chest(rng: np.random.Generator) -> Plane:
    return 0.6 * _ellipse(rng, 0.95, 0.65) - 0.5 * (_ellipse(rng, 0.75, 0.4) * (np.abs(_X) > 0.15))


def _hand(rng: np.random.Generator) -> Plane:
    fingers = np.maximum(0, np.cos(_X * rng.uniform(13, 16) + rng.normal(0, 0.3))) * (_Y < 0.1)
    return 0.15 + 0.6 * fingers * _ellipse(rng, 0.8, 0.95) + 0.5 * _ellipse(rng, 0.5, 0.4) * (_Y > 0)


def _head(rng: np.random.Generator) -> Plane:
    return 0.9 * (_ellipse(rng, 0.7, 0.85) - _ellipse(rng, 0.6, 0.75)) + 0.4 * _ellipse(rng, 0.6, 0.75)


CLASSES: dict[str, Callable[[np.random.Generator], Plane]] = {
    "AbdomenCT": _abdomen,
    "BreastMRI": _breast,
    "CXR": _chest_x_ray,
    "ChestCT": _chest,
    "Hand": _hand,
    "HeadCT": _head,
}
