from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image, ImageFilter

from discern.datasets.ingest.image_facts import measure_image, measure_photo
from discern.sources.base import Photo
from edge_runtime.errors import ImageError
from tests.discern.pictures import BROKEN, jpeg


def saved(image: Image.Image, exif: Image.Exif | None = None, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"exif": exif} if exif else {}))
    return buffer.getvalue()


def disc(side: int = 128, blur: float = 0) -> Image.Image:
    y, x = np.mgrid[:side, :side]
    inside = (x - side / 2) ** 2 + (y - side / 3) ** 2 < (side / 4) ** 2
    return Image.fromarray(np.where(inside, 200, 60).astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur))


def test_a_picture_is_measured() -> None:
    facts = measure_image(jpeg(3, 64), "x")
    assert facts.sha256 == hashlib.sha256(jpeg(3, 64)).hexdigest()
    assert (facts.width, facts.height) == (64, 64)
    assert 0 <= facts.phash < 2**64
    assert facts.captured_at is None


def test_brightness_is_the_mean_luma() -> None:
    assert measure_image(saved(Image.new("L", (40, 30), 51), kind="PNG"), "x").brightness == pytest.approx(0.2)


def test_a_blurred_picture_is_less_sharp_at_every_size_and_contrast() -> None:
    for side in (64, 128, 600):
        sharp, soft = (measure_image(saved(disc(side, blur * side / 20)), "x").sharpness for blur in (0, 1))
        assert sharp > 0.1
        assert soft < 0.06
    faint = disc().point(lambda value: 100 + value // 4)
    assert measure_image(saved(faint), "x").sharpness > 0.06
    assert measure_image(saved(Image.new("L", (40, 40), 9)), "x").sharpness == 0


def test_a_small_thing_on_plain_ground_is_sharp_enough() -> None:
    image = Image.new("L", (256, 256), 240)
    image.paste(disc(12), (100, 90))
    assert measure_image(saved(image, kind="PNG"), "x").sharpness > 0.1


@pytest.mark.parametrize("size", [(8, 8), (8, 3000), (3000, 9), (300, 9)])
def test_strips_are_measured(size: tuple[int, int]) -> None:
    assert measure_image(saved(Image.effect_noise(size, 60), kind="PNG"), "x").sharpness > 0


def test_orientation_counts() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = disc().resize((128, 64)).transpose(Image.Transpose.ROTATE_90)
    facts = measure_image(saved(turned, exif), "x")
    assert (facts.width, facts.height) == (128, 64)
    upright = measure_image(saved(disc().resize((128, 64))), "x")
    assert (facts.phash ^ upright.phash).bit_count() <= 4


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(None, datetime(2026, 5, 4, 10, 20, 30, tzinfo=UTC)), ("+02:00", datetime(2026, 5, 4, 8, 20, 30, tzinfo=UTC))],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_camera_tells_the_time(kind: str, offset: str | None, expected: datetime) -> None:
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    inner[0x9003] = "2026:05:04 10:20:30"
    if offset:
        inner[0x9011] = offset
    exif[0x8769] = inner
    assert measure_image(saved(disc(), exif, kind), "x").captured_at == expected


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "yesterday", "", "    :  :     :  :  "])
def test_a_time_that_is_none_is_none(text: str) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2026:05:04 10:20:30"  # of the last change, which an editor sets for a whole folder at once
    inner = exif.get_ifd(0x8769)
    inner[0x9003] = text
    exif[0x8769] = inner
    assert measure_image(saved(disc(), exif), "x").captured_at is None


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named(name: str) -> None:
    with pytest.raises(ImageError, match=f"{name}"):
        measure_image(BROKEN[name](), name)
    _, told = measure_photo(Photo(name, "a", BROKEN[name]))
    assert isinstance(told, str)
    assert name in told
