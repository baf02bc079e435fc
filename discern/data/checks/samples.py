"""A few photos of each split, small, for looking at."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from discern.data.manifest import DatasetVersion
from discern.data.photos import SPLITS
from edge_runtime.images import Pixels


@dataclass(frozen=True)
class Sample:
    """Some photos of one split.

    Args:
        rows: where they are in the version they were drawn from, rising.
        thumbnails: uint8 [h, w, 3] each.
        short_sides: shorter side of the full photo, pixels.
        labels: their classes.
    """

    rows: tuple[int, ...]
    thumbnails: tuple[Pixels, ...]
    short_sides: tuple[int, ...]
    labels: tuple[str, ...]


def draw_samples(version: DatasetVersion, count: int, side: int) -> dict[str, Sample]:
    """Draw at most `count` photos of each split, the same ones every time, scaled down to fit `side` pixels."""
    splits, labels = np.asarray(version.column("split")), version.column("label")
    draws = np.random.default_rng(0)
    samples: dict[str, Sample] = {}
    for split in SPLITS:
        members = np.flatnonzero(splits == split)
        rows = tuple(np.sort(draws.choice(members, min(count, len(members)), replace=False)).tolist())
        small = shrink(version, rows, side)
        samples[split] = Sample(
            rows, tuple(one for one, _ in small), tuple(short for _, short in small), tuple(labels[row] for row in rows)
        )
    return samples


def shrink(version: DatasetVersion, rows: tuple[int, ...], side: int) -> list[tuple[Pixels, int]]:
    """Photos scaled down to fit `side` pixels, each with the shorter side it had."""

    def one(row: int) -> tuple[Pixels, int]:
        rgb = version.pixels(row)
        image = Image.fromarray(rgb)
        image.thumbnail((side, side))
        return np.asarray(image), min(rgb.shape[:2])

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow works without the interpreter's lock
        return list(pool.map(one, rows))
