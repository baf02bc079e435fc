"""Encoded pictures, whole and broken, for the tests of the data room."""

from __future__ import annotations

import colorsys
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from discern.sources.base import Photo


def jpeg(number: int, side: int = 24) -> bytes:
    """A small noisy picture; another number, another picture."""
    colour = np.array(colorsys.hsv_to_rgb(number * 0.37 % 1, 0.5, 0.7)) * 255
    noise = np.random.default_rng(number).normal(0, 20, (side, side, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def photos(classes: int = 10, each: int = 5) -> Iterator[Photo]:
    """Photos of some classes, with no split of their own."""
    for label in range(classes):
        for number in range(each):
            yield Photo(f"c{label:02d}/{number}.jpg", f"c{label:02d}", jpeg(1000 * label + number))


def fill(folder: Path, classes: int = 8, each: int = 4) -> Path:
    """A folder of one folder a class."""
    for photo in photos(classes, each):
        path = folder / photo.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo.load())
    return folder


def saved(mode: str, kind: str, **options: object) -> bytes:
    """A picture of 24 pixels a side in some mode and format."""
    buffer = io.BytesIO()
    Image.new(mode, (24, 24)).save(buffer, kind, **options)
    return buffer.getvalue()


def animated_gif() -> bytes:
    frames = [Image.new("P", (24, 24), colour) for colour in (1, 2)]
    frames[0].putpixel((3, 3), 9)
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def png_16_bit() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((24, 24), 40_000, np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def giant_png(side: int = 30_000) -> bytes:
    """A whole PNG of side x side one-bit pixels that took no memory to make."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((side + 7) // 8)
    pixels = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


BROKEN = {
    "truncated.jpg": lambda: jpeg(1, 200)[:2000],
    "empty.jpg": lambda: b"",
    "text.jpg": lambda: b"this is a note, not a picture",
    "cmyk.jpg": lambda: saved("CMYK", "JPEG"),
    "deep.png": png_16_bit,
    "animated.gif": animated_gif,
    "giant.png": giant_png,
}
