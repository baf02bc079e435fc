from __future__ import annotations

import io
import itertools
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
from PIL import Image, PngImagePlugin, TiffImagePlugin

from edge_runtime.core import images
from edge_runtime.core.images import (
    FORMATS,
    READS_HEIC,
    ImageLimits,
    Pixels,
    Preprocessing,
    crop,
    decode,
    encode_jpeg,
    encode_png,
)
from edge_runtime.errors import ImageError
from tests.edge_runtime.core import heic

RED = np.full((20, 30, 3), (200, 10, 20), np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "HEIF"])  # which nothing here writes
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


def quarters(size: tuple[int, int] = (48, 32)) -> Image.Image:
    """A blue picture with a red corner, top left."""
    image = Image.new("RGB", size, (20, 40, 200))
    image.paste((200, 10, 20), (0, 0, size[0] // 2, size[1] // 2))
    return image


def is_upright(pixels: Pixels) -> bool:
    """Return True for `quarters`, upright."""
    return pixels.shape == (32, 48, 3) and pixels[4, 4, 0] > 150 and pixels[28, 44, 2] > 150 and pixels[4, 44, 2] > 150


def exif_with(tag: int, kind: int, count: int, value: bytes, order: bytes = b"II") -> bytes:
    """EXIF of orientation 6 and of one more entry, as some program wrote it."""
    sign = "<" if order == b"II" else ">"
    entries = [(0x0112, struct.pack(f"{sign}HHIHH", 0x0112, 3, 1, 6, 0))]
    entries.append((tag, struct.pack(f"{sign}HHI", tag, kind, count) + value.ljust(4, b"\0")[:4]))
    body = struct.pack(f"{sign}H", len(entries)) + b"".join(entry for _, entry in sorted(entries)) + bytes(4)
    return b"Exif\0\0" + order + struct.pack(f"{sign}HI", 42, 8) + body


@pytest.mark.parametrize("order", [b"II", b"MM"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_turned_whatever_else_its_exif_holds(kind: str, order: bytes) -> None:
    """Text where a number belongs, a count of none, a type that does not exist, an address behind the end."""
    raw = quarters().transpose(Image.Transpose.ROTATE_90)
    entries = [
        (tag, form) for tag in (0x010E, 0x011A, 0x0132, 0x8769, 0x8825, 0x927C) for form in (0, 2, 3, 5, 7, 12, 99)
    ]
    for (tag, form), count, value in itertools.product(entries, (0, 1, 7), (b"\1\1\1\1", b"\xff\xff\xff\x7f")):
        exif = exif_with(tag, form, count, value, order)
        assert is_upright(decode(encoded(raw, kind, exif=exif))), (tag, form, count)


def test_exif_that_cannot_be_read_turns_nothing() -> None:
    assert is_upright(decode(encoded(quarters(), "JPEG", exif=b"Exif\0\0not EXIF at all")))


def test_much_text_beside_the_pixels_of_a_png_is_no_damage() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Description", "word " * 500_000, zip=True)
    text.add_itxt("XML:com.adobe.xmp", "word " * 500_000, zip=True)
    assert is_upright(decode(encoded(quarters(), "PNG", pnginfo=text)))
    for _ in range(30):
        text.add_text("Description", "word " * 500_000, zip=True)
    with pytest.raises(ImageError, match="holds more than 64 MB of text beside the picture: save it without"):
        decode(encoded(quarters(), "PNG", pnginfo=text))


def test_a_bmp_of_16_bits_a_pixel_has_fewer_than_8_a_channel() -> None:
    red, blue, side = 0xF800, 0x001F, 16
    header = struct.pack("<2sIIIIiiHHIIiiII", b"BM", 0, 0, 70, 56, side, side, 1, 16, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xF800, 0x07E0, 0x001F, 0)
    rows = struct.pack("<H", blue) * (side * side // 2) + struct.pack("<H", red) * (side * side // 2)  # lowest first
    pixels = decode(header + masks + rows)
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels[-1, 0].tolist() == [0, 0, 255]


def test_the_first_picture_of_a_phones_several_is_the_photo() -> None:
    assert is_upright(decode(encoded(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (48, 32))])))


@pytest.mark.skipif(not READS_HEIC, reason="pi-heif is not installed")
def test_an_iphones_photo_is_read_upright_in_its_colours() -> None:
    assert is_upright(decode(heic.PLAIN))
    pixels = decode(heic.TURNED_P3)
    assert is_upright(pixels)
    assert np.abs(pixels[4, 4].astype(int) - (219, 0, 0)).max() < 8  # P3's (200, 10, 20)
    for length in (30, 200, 500, 900):
        with pytest.raises(ImageError, match=r"IMG_1\.HEIC is a damaged HEIC photo: take or copy"):
            decode(heic.TURNED_P3[:length], "IMG_1.HEIC")


def test_without_its_reader_an_iphones_photo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "READS_HEIC", False)
    monkeypatch.setattr(images, "FORMATS", tuple(kind for kind in FORMATS if kind != "HEIF"))
    for name in ("IMG_1.HEIC", "IMG_1.jpg", "the photo"):
        with pytest.raises(ImageError, match=f"{name} is a HEIC photo that cannot .*: install discern-edge.heif., or"):
            decode(heic.PLAIN, name)


def raw_file(tags: dict[int, int | bytes]) -> bytes:
    """A TIFF with some of a camera's tags: its first picture is a preview."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info[tag] = value
        info.tagtype[tag] = 1 if isinstance(value, bytes) else 4
    return encoded(quarters(), "TIFF", tiffinfo=info)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (raw_file({50706: b"\1\4\0\0"}), "the photo"),
        (raw_file({254: 1}), "IMG_1.tif"),
        (encoded(quarters(), "TIFF"), "IMG_1.NEF"),
        (b"not read here", "IMG_1.CR2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "IMG_1"),
        (b"FUJIFILMCCD-RAW 0201FF", "IMG_1.jpg"),
    ],
)
def test_the_preview_in_camera_raw_is_never_taken_for_the_photo(data: bytes, name: str) -> None:
    with pytest.raises(ImageError, match=f"{name} is camera raw, which is not read here: export it as JPEG"):
        decode(data, name)


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
    "16 bit ppm": (b"P6 16 16 65535\n" + bytes(16 * 16 * 6), "more than 8 bits"),
    "Lab": (encoded(Image.new("LAB", (16, 16)), "TIFF"), "is in the colour mode LAB, which is not read here: save it"),
    "JPEG XL": (b"\xff\x0a" + bytes(50), "is a JPEG XL picture, which is not read here: save it as JPEG or PNG"),
    "a web page": (
        b"\n<!DOCTYPE html><html>log in</html>",
        "is a web page and not a picture: download the photo",
    ),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS .*: run `git lfs pull`"),
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
