from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.core.images import FORMATS, ImageLimits, Pixels, Preprocessing, crop, decode, encode_jpeg, encode_png
from edge_runtime.errors import ImageError

RED = np.full((20, 30, 3), (200, 10, 20), np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_that_is_named_is_read(kind: str) -> None:
    pixels = decode(encoded(Image.fromarray(RED), kind))
    assert pixels.shape == RED.shape
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - RED).max() < 8


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_plain_modes_become_rgb(mode: str) -> None:
    image = Image.fromarray(RED).convert("RGB").convert("L" if mode == "LA" else mode).convert(mode)
    assert decode(encoded(image, "PNG")).shape == RED.shape


def test_what_is_transparent_becomes_white() -> None:
    image = Image.new("RGBA", (20, 20), (200, 0, 0, 0))
    assert (decode(encoded(image, "PNG")) == 255).all()


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(Image.fromarray(RED), "JPEG", exif=exif)).shape == (30, 20, 3)


def test_png_keeps_pixels_and_jpeg_nearly() -> None:
    assert np.array_equal(decode(encode_png(RED)), RED)
    assert np.abs(decode(encode_jpeg(RED)).astype(int) - RED).max() < 8


def png(side: int, depth: int, rows: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, depth, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def animated() -> bytes:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


BAD = {
    "empty": (b"", "is empty"),
    "text": (b"not a picture at all", "is not a picture"),
    "cut off": (encode_jpeg(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))[:900], "is damaged"),
    "cmyk": (encoded(Image.new("CMYK", (16, 16)), "JPEG"), "is a CMYK picture"),
    "16 bit grey": (encoded(Image.fromarray(np.zeros((16, 16), np.uint16)), "PNG"), "more than 8 bits"),
    "16 bit rgb": (png(16, 16, (b"\0" + bytes(16 * 6)) * 16), "more than 8 bits"),
    "animated": (animated(), "is animated"),
    "30,000 a side": (png(30_000, 8, b"\0" * 1000), "more than the 64,000,000 pixels allowed"),
    "7 pixels": (encode_png(np.zeros((7, 40, 3), np.uint8)), "only 40 x 7 pixels"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_photos_are_refused_by_name(kind: str) -> None:
    data, says = BAD[kind]
    with pytest.raises(ImageError, match=says) as caught:
        decode(data, "pill-17.jpg")
    assert str(caught.value).startswith("pill-17.jpg ")


def test_limits_are_the_callers() -> None:
    with pytest.raises(ImageError, match="more than the 10 allowed"):
        decode(encode_png(RED), limits=ImageLimits(max_bytes=10))
    with pytest.raises(ImageError, match="more than the 599 allowed"):
        decode(encode_png(RED), limits=ImageLimits(max_pixels=599))
    assert decode(encode_png(RED), limits=ImageLimits(max_pixels=600)).shape == RED.shape


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 899), st.integers(1, 255))
def test_damaged_bytes_give_pixels_or_an_image_error(place: int, change: int) -> None:
    data = bytearray(encode_jpeg(np.tile(np.arange(48, dtype=np.uint8)[None, :, None], (48, 1, 3))))
    data[place % len(data)] ^= change
    try:
        pixels = decode(bytes(data))
    except ImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3


@pytest.mark.parametrize(("fit", "grey"), [("letterbox", True), ("stretch", False)])
def test_preprocessing_gives_squares(fit: Any, grey: bool) -> None:
    pixels = Preprocessing(12, fit).apply(RED)
    assert pixels.shape == (12, 12, 3)
    assert (pixels[0] == 128).all() == grey


def test_crop_stays_inside() -> None:
    pixels: Pixels = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    assert np.array_equal(crop(pixels, (2.4, 3.6, 10.1, 40.0)), pixels[3:, 2:11])
    for box in [(30.0, 0.0, 40.0, 10.0), (5.0, 5.0, 5.0, 9.0), (9.0, 0.0, 3.0, 5.0)]:
        with pytest.raises(ImageError, match="has no area"):
            crop(pixels, box)


def test_a_damaged_picture_is_an_image_error_whatever_byte_changed() -> None:
    """Pillow's EXIF and TIFF code raises odd errors for odd bytes: every one must come out as a sentence."""
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x829A] = 6, "maker", (1, 100)
    for kind, options in (("JPEG", {"exif": exif}), ("TIFF", {}), ("PNG", {"exif": exif})):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(buffer, kind, **options)
        good = bytearray(buffer.getvalue())
        for _ in range(1500):
            bad = good.copy()
            for place in rng.integers(0, min(len(bad), 400), 2):
                bad[place] = rng.integers(256)
            with suppress(ImageError):
                decode(bytes(bad))


def test_decoding_in_threads_leaves_the_warning_filters_alone() -> None:
    data = encode_jpeg(np.zeros((64, 64, 3), dtype=np.uint8))
    before = list(warnings.filters)
    for _ in range(20):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(decode, [data] * 32))
        assert list(warnings.filters) == before
