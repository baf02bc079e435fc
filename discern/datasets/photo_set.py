"""Photos of a dataset version as a model sees them, decoded in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.datasets.manifest import DatasetVersion
from discern.map_ahead import map_ahead
from discern.progress import bar
from edge_runtime.core.images import Pixels, Preprocessing

THUMBNAIL = Preprocessing(size=96)  # a photo as catalogues and pages show it


@dataclass(frozen=True)
class PhotoSet:
    """Photos of a dataset version as the model sees them, in memory.

    Attributes:
        pixels: [n, size, size, 3] uint8.
        labels: n label names.
    """

    pixels: Pixels
    labels: tuple[str, ...]

    def class_ids(self) -> tuple[NDArray[np.int64], list[str]]:
        """Number the labels in sorted order: (id of each photo [n], names)."""
        names, ids = np.unique(np.array(self.labels), return_inverse=True)
        return ids.astype(np.int64), [str(name) for name in names]


def load_photos(version: DatasetVersion, preprocessing: Preprocessing, name: str = "decoding photos") -> PhotoSet:
    """Decode and preprocess every photo of `version`, on all cores, with progress."""
    pixels = np.empty((len(version), preprocessing.size, preprocessing.size, 3), dtype=np.uint8)

    def fill(i: int) -> None:
        pixels[i] = preprocessing.apply(version.pixels(i))

    # Pillow decodes and resizes without the interpreter's lock.
    for _ in bar(map_ahead(fill, range(len(version))), total=len(version), name=name, unit="photo"):
        pass
    return PhotoSet(pixels, tuple(version.column("label")))
