"""Any picture as sRGB: what its numbers mean, and the way from there, by LittleCMS.

Rules kept:
- an embedded ICC profile says what a picture's numbers mean; without one they are sRGB's;
- a profile that cannot be used (damaged, larger than `PROFILE_MAX_BYTES`, of other channels) counts as none, as in
  browsers; PNG's gAMA and cHRM count for nothing, as too many programs write wrong ones;
- the intent is relative colorimetric with black-point compensation, whatever the profile prefers;
- a profile that gives sRGB's own colours changes nothing: such a picture keeps its pixels to the bit.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from edge_runtime.errors import ImageError

PROFILE_MAX_BYTES = 4 * 1024 * 1024  # bytes; a press's profile has 3 MB at most, a phone's 500 bytes
PROFILES_KEPT = 8  # transforms; a camera writes one profile
SAME = 2  # levels of 255; writers of sRGB round its curve in different ways
STEPS = 17  # colours a channel that tell whether a profile is sRGB's
MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # Pillow's mode of a profile's numbers
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B"})
# One meaning as 8-bit RGB, in Pillow's words.
PLAIN_MODES = frozenset({"RGB", "RGBX", "RGBA", "RGBa", "L", "LA", "La", "1", "P", "PA", "YCbCr"})
DEEP_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "F"})
TRANSPARENT_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
# What Pillow raises for a profile that LittleCMS refuses; its own error is an Exception.
UNUSABLE = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


@dataclass(frozen=True)
class Conversion:
    """The way from a profile's numbers to sRGB.

    Attributes:
        mode: Pillow's mode of the profile's numbers: L, RGB or CMYK.
        transform: LittleCMS's; None where the numbers are sRGB's already.
    """

    mode: str
    transform: ImageCms.ImageCmsTransform | None

    def apply(self, image: Image.Image) -> Image.Image:
        """Return a picture of any mode, without transparency, as RGB; the picture itself may change."""
        if self.transform is None:
            return image.convert("RGB")
        numbers = image if image.mode == self.mode else image.convert(self.mode)
        # In place, where the numbers are as many, takes a quarter less time.
        return ImageCms.applyTransform(numbers, self.transform, inPlace=self.mode == "RGB") or numbers


def conversion_of(image: Image.Image) -> Conversion | None:
    """Return what a picture's profile says; None where it has none that can be used."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 0 < len(profile) <= PROFILE_MAX_BYTES:
        return None
    conversion = _conversion(profile)
    return conversion if conversion is not None and _fits(conversion, image.mode) else None


def check_colours(image: Image.Image, name: str, conversion: Conversion | None) -> None:
    """Refuse a picture whose numbers nothing states the meaning of.

    Args:
        image: opened and not loaded: what tells of more than 8 bits is gone afterwards.
        name: what messages call it.
        conversion: what its profile says.

    Raises:
        ImageError: it is of another kind than 8-bit RGB or grey, and its profile does not say what it means.
    """
    if image.mode == "CMYK" and conversion is None:
        raise ImageError(f"{name} is a CMYK picture, whose colours depend on a printer: save it as RGB.")
    deep = image.mode in DEEP_MODES or _bits_beyond_8(image)
    if deep and (image.mode == "F" or (conversion is None and "srgb" not in image.info)):
        raise ImageError(f"{name} has more than 8 bits a channel ({image.mode}): save it as 8-bit RGB.")
    if not deep and image.mode not in PLAIN_MODES and image.mode != "CMYK":
        raise ImageError(f"{name} is in the colour mode {image.mode}, which is not read here: save it as 8-bit RGB.")


def to_srgb(image: Image.Image, conversion: Conversion | None) -> Image.Image:
    """Return a loaded picture as RGB in sRGB; what is transparent is white."""
    conversion = conversion or Conversion("RGB", None)
    image = _in_8_bits(image)
    if image.mode not in TRANSPARENT_MODES and "transparency" not in image.info:
        return conversion.apply(image)
    rgba = _straight(image).convert("RGBA")
    colours = conversion.apply(rgba.convert("RGB"))
    colours.putalpha(rgba.getchannel("A"))
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, colours).convert("RGB")


def _fits(conversion: Conversion, mode: str) -> bool:
    """Return True if a picture of this mode can hold a profile's numbers; grey is RGB with three equal channels."""
    if conversion.mode == "L":
        return mode in GREY_MODES
    return (conversion.mode == "CMYK") == (mode == "CMYK")


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Return a grey picture of 16 bits with its upper 8: what Pillow does with the colours of such a picture."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))


def _straight(image: Image.Image) -> Image.Image:
    """Return a picture whose colours are not multiplied by its transparency."""
    return image.convert({"RGBa": "RGBA", "La": "LA"}.get(image.mode, image.mode))


def _bits_beyond_8(image: Image.Image) -> bool:
    """Pillow opens a 16-bit RGB PNG as RGB and drops the low bits; its raw mode, or a PPM's largest value, tells."""
    tiles = getattr(image, "tile", None) or []
    arguments = [argument for tile in tiles for argument in _arguments(tile[3])]
    if image.format == "PPM":
        return any(isinstance(argument, int) and argument > 255 for argument in arguments)
    # The 16 bits of a BMP's BGR;16 are those of a whole pixel.
    return any(";16" in word and not word.startswith("BGR") for word in arguments if isinstance(word, str))


def _arguments(arguments: object) -> tuple[object, ...]:
    return arguments if isinstance(arguments, tuple) else (arguments,)


@lru_cache(PROFILES_KEPT)
def _conversion(data: bytes) -> Conversion | None:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = MODES.get(profile.profile.xcolor_space.strip())
        if mode is None:
            return None
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except UNUSABLE:
        return None
    conversion = Conversion(mode, transform)
    return Conversion(mode, None) if _changes_nothing(conversion) else conversion


def _changes_nothing(conversion: Conversion) -> bool:
    if conversion.mode == "CMYK":
        return False
    levels = np.linspace(0, 255, STEPS).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(STEPS, -1, 3)
    if conversion.mode == "L":
        grid = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(grid)
    change = np.asarray(conversion.apply(image.copy()), dtype=int) - np.asarray(image.convert("RGB"), dtype=int)
    return int(np.abs(change).max()) <= SAME
