"""Photos for benchmarks of the data room: made here, each unlike the others."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

PATCHES = 8  # a side; a picture of random colours, smoothed


def jpeg(number: int, side: int) -> bytes:
    """A picture of `side` x `side` pixels; another number, another picture."""
    patches = np.random.default_rng(number).integers(0, 255, (PATCHES, PATCHES, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(patches).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def fill(folder: Path, numbers: range, classes: int, side: int) -> None:
    """Write pictures into a folder of classes."""
    for number in numbers:
        path = folder / f"class-{number % classes:05d}" / f"{number:08d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number, side))
