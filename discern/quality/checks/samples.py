"""A few photos of each split, small, for looking at."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from discern.datasets.manifest import DatasetVersion
from discern.sources.base import SPLITS
from edge_runtime.core.images import Pixels


@dataclass(frozen=True)
class Sample:
    """Some photos of one split.

    Args:
        rows: where they are in the version they were drawn from, rising.
        thumbnails: uint8 [h, w, 3] each.
        labels: their classes.
    """

    rows: tuple[int, ...]
    thumbnails: tuple[Pixels, ...]
    labels: tuple[str, ...]


def draw_samples(version: DatasetVersion, count: int, side: int) -> dict[str, Sample]:
    """Draw at most `count` photos of each split, the same ones every time, scaled down to fit `side` pixels."""
    splits, labels = np.asarray(version.column("split")), version.column("label")
    draws = np.random.default_rng(0)
    samples: dict[str, Sample] = {}
    for split in SPLITS:
        members = np.flatnonzero(splits == split)
        rows = tuple(np.sort(draws.choice(members, min(count, len(members)), replace=False)).tolist())
        samples[split] = Sample(rows, shrink(version, rows, side), tuple(labels[row] for row in rows))
    return samples


def shrink(version: DatasetVersion, rows: tuple[int, ...], side: int) -> tuple[Pixels, ...]:
    """Photos scaled down to fit `side` pixels."""

    def one(row: int) -> Pixels:
        image = Image.fromarray(version.pixels(row))
        image.thumbnail((side, side))
        return np.asarray(image)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow works without the interpreter's lock
        return tuple(pool.map(one, rows))
