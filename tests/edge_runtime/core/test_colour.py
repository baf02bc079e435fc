"""One thing photographed by two cameras is one colour, whatever profile each embeds."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from edge_runtime.core.images import Pixels, decode
from edge_runtime.errors import ImageError
from tests.edge_runtime.core.profiles import ADOBE, P3, PROPHOTO, SRGB, cmyk_profile, grey_profile, rgb_profile

COLOURS = np.array(
    [(200, 60, 50), (230, 120, 40), (240, 220, 80), (60, 160, 90), (40, 90, 190), (130, 60, 150)], np.uint8
)
CAMERAS = {"P3": rgb_profile(P3), "Adobe": rgb_profile(ADOBE, (2.19921875,)), "ProPhoto": rgb_profile(PROPHOTO, (1.8,))}
SRGBS = (rgb_profile(SRGB), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
EXACT: dict[str, dict[str, Any]] = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}


def patches(colours: Pixels = COLOURS) -> Image.Image:
    """A picture of squares, one a colour."""
    return Image.fromarray(np.repeat(np.repeat(colours[None], 16, axis=0), 16, axis=1))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def as_stored(image: Image.Image, profile: bytes) -> Image.Image:
    """The numbers that a camera with this profile writes for an sRGB picture."""
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), target, "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
    stored = ImageCms.applyTransform(image, transform) or image
    stored.info.clear()  # or Pillow writes the profile unasked
    return stored


def off(decoded: Pixels, expected: Pixels = COLOURS) -> int:
    """How far the squares' middles are from the colours that are meant, at most."""
    return int(np.abs(decoded[8, 8::16].astype(int) - expected).max())


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("camera", CAMERAS)
def test_a_profile_is_converted_to_srgb(camera: str, kind: str) -> None:
    profile = CAMERAS[camera]
    stored = as_stored(patches(), profile)
    assert off(decode(encoded(stored, kind, **EXACT[kind]))) > 15  # the numbers alone are other colours
    assert off(decode(encoded(stored, kind, icc_profile=profile, **EXACT[kind]))) <= 3


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_lossy_pictures_likewise(kind: str) -> None:
    if kind == "AVIF":
        pytest.importorskip("PIL._avif")
    stored = as_stored(patches(), CAMERAS["P3"])
    assert off(decode(encoded(stored, kind, quality=98, icc_profile=CAMERAS["P3"]))) <= 8


@pytest.mark.parametrize(
    "profile", [rgb_profile(SRGB), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()]
)
def test_with_srgbs_profile_the_pixels_stay_to_the_bit(profile: bytes) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    for image in (noise, noise.convert("L"), noise.convert("P"), noise.convert("RGBA")):
        assert np.array_equal(decode(encoded(image, icc_profile=profile)), decode(encoded(image)))


def test_transparent_and_palette_pictures_are_converted_too() -> None:
    stored = as_stored(patches(), CAMERAS["P3"])
    clear = stored.convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 96, 2))
    decoded = decode(encoded(clear, icc_profile=CAMERAS["P3"]))
    assert off(decoded) <= 3
    assert (decoded[:2] == 255).all()
    assert off(decode(encoded(stored.quantize(8), icc_profile=CAMERAS["P3"]))) <= 3


def test_a_grey_profile_changes_greys() -> None:
    levels = np.array([0, 40, 120, 200, 255], np.uint8)
    image = patches(np.repeat(levels[:, None], 3, axis=1)).convert("L")
    expected = np.array([0, 110, 180, 228, 255])  # of gamma 1: sRGB's curve of level / 255
    for picture in (image, image.convert("LA")):
        assert off(decode(encoded(picture, icc_profile=grey_profile(1.0))), expected[:, None]) <= 3


def test_a_grey_picture_may_have_a_profile_of_three_colours() -> None:
    """Programs leave the camera's profile in a picture that they made grey."""
    image = patches().convert("L")
    decoded = decode(encoded(image, icc_profile=CAMERAS["ProPhoto"]))
    assert (decoded[..., 0] == decoded[..., 1]).all()
    assert decoded.mean() > decode(encoded(image)).mean() + 5  # its curve is another


def test_cmyk_with_a_profile_has_one_meaning() -> None:
    inks = {"paper": (0, 0, 0, 0), "black": (0, 0, 0, 255), "cyan": (255, 0, 0, 0), "yellow": (0, 0, 255, 0)}
    image = Image.new("CMYK", (64, 16))
    for number, ink in enumerate(inks.values()):
        image.paste(ink, (16 * number, 0, 16 * number + 16, 16))
    for kind in ("JPEG", "TIFF"):
        paper, black, cyan, yellow = decode(encoded(image, kind, icc_profile=cmyk_profile()))[8, 8::16].astype(int)
        assert paper.min() > 245
        assert black.max() < 10
        assert cyan[2] > cyan[0] + 80
        assert yellow[0] > yellow[2] + 40


@pytest.mark.parametrize("profile", [None, b"not a profile", rgb_profile(P3), cmyk_profile()[:400]])
def test_cmyk_without_its_profile_is_refused(profile: bytes | None) -> None:
    options = {} if profile is None else {"icc_profile": profile}
    with pytest.raises(ImageError, match="is a CMYK picture, whose colours depend on a printer: save it as RGB"):
        decode(encoded(Image.new("CMYK", (16, 16)), "JPEG", **options))


def deep_png(profile: bytes | None) -> bytes:
    """A grey PNG of 16 bits, from 0 to 65,280."""
    image = Image.fromarray((np.arange(256, dtype=np.uint16) << 8).reshape(16, 16))
    return encoded(image, "PNG", **({} if profile is None else {"icc_profile": profile}))


def test_16_bits_with_a_profile_have_one_meaning() -> None:
    linear = decode(deep_png(grey_profile(1.0)))
    assert linear[0, 0].tolist() == [0, 0, 0]
    assert abs(int(linear.reshape(-1, 3)[120, 0]) - 180) <= 3
    plain = decode(deep_png(rgb_profile(SRGB))).reshape(-1, 3)
    assert (plain == np.arange(256)[:, None]).all()
    with pytest.raises(ImageError, match="has more than 8 bits a channel"):
        decode(deep_png(None))


@pytest.mark.parametrize(
    "profile",
    [b"x" * 3000, rgb_profile(P3)[:200], rgb_profile(P3) + bytes(5_000_000), cmyk_profile(), grey_profile(1.0)],
    ids=["noise", "cut", "too large", "of inks", "of greys"],
)
def test_a_profile_that_cannot_be_used_counts_as_none(profile: bytes) -> None:
    assert np.array_equal(decode(encoded(patches(), icc_profile=profile)), np.asarray(patches()))


def test_damaged_profiles_give_pixels() -> None:
    rng = np.random.default_rng(0)
    image = patches()
    for profile in (rgb_profile(P3), grey_profile(2.2)):
        for _ in range(40):
            bad = bytearray(profile)
            for place in rng.integers(0, min(len(bad), 700), 3):
                bad[place] = rng.integers(256)
            assert decode(encoded(image, icc_profile=bytes(bad))).shape == (16, 96, 3)


def test_threads_share_a_profile() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    data = encoded(noise, icc_profile=CAMERAS["P3"])
    expected = decode(data)
    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(pixels, expected) for pixels in pool.map(decode, [data] * 32))
