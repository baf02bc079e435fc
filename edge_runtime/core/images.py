"""The preprocessing contract: encoded bytes in, the model's uint8 pixels out.

Training, enrolment, evaluation and the device all come through here. There is no second way.

Rules kept:
- nothing is decoded before its header passed the limits on bytes and pixels;
- EXIF orientation is applied; grey, palette and transparent pictures become RGB (transparency over white);
- what has no one meaning as 8-bit RGB (CMYK, more than 8 bits, several frames) is refused, not guessed.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edge_runtime.errors import ImageError

Pixels = NDArray[np.uint8]
Fit = Literal["letterbox", "stretch"]
Box = tuple[float, float, float, float]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # Pillow opens a phone's MPO as a JPEG
PLAIN_MODES = frozenset({"RGB", "L", "1", "P", "RGBA", "LA", "PA"})
TRANSPARENT_MODES = frozenset({"RGBA", "LA", "PA"})
# What Pillow raises for damaged files, found by changing bytes of good ones; its EXIF and TIFF code raise the odd ones.
DAMAGE = (
    OSError, ValueError, SyntaxError, EOFError, MemoryError, TypeError, AttributeError, LookupError, ArithmeticError,
    struct.error,
)  # fmt: skip
LETTERBOX_FILL = (128, 128, 128)


@dataclass(frozen=True)
class ImageLimits:
    """Limits within which a photo is accepted."""

    max_bytes: int = 32 * 1024 * 1024  # bytes, encoded
    max_pixels: int = 64_000_000  # pixels; a phone's 50-megapixel photo fits, a decompression bomb does not
    min_side: int = 8  # pixels


@dataclass(frozen=True)
class Preprocessing:
    """The way from a decoded photo to a model's input; it travels with the release.

    Attributes:
        size: side of the square input, pixels.
        fit: `letterbox` keeps the aspect ratio and pads with grey, `stretch` does not keep it.
    """

    size: int
    fit: Fit = "letterbox"

    def apply(self, rgb: Pixels) -> Pixels:
        """Resize `rgb` [H, W, 3] to [size, size, 3], both uint8."""
        image = Image.fromarray(rgb)
        target = (self.size, self.size)
        if self.fit == "stretch" or image.width == image.height:
            return np.asarray(image.resize(target, Image.Resampling.BICUBIC))
        return np.asarray(ImageOps.pad(image, target, Image.Resampling.BICUBIC, color=LETTERBOX_FILL))


def decode(data: bytes, name: str = "the photo", limits: ImageLimits | None = None) -> Pixels:
    """Decode one encoded photo.

    Args:
        data: the encoded bytes.
        name: what the message of an error calls it.
        limits: what is accepted; the default limits if None.

    Returns:
        uint8 [H, W, 3], RGB, upright.

    Raises:
        ImageError: it is empty, too large, not a picture, damaged, or of a kind that is refused.
    """
    limits = limits or ImageLimits()
    if not data:
        raise ImageError(f"{name} is empty (0 bytes): take or copy the photo again.")
    if len(data) > limits.max_bytes:
        raise ImageError(
            f"{name} has {len(data):,} bytes, more than the {limits.max_bytes:,} allowed: save it smaller."
        )
    with _QUIET_PILLOW:
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_header(image, name, limits)
                return _to_rgb(image)
        except UnidentifiedImageError:
            raise ImageError(f"{name} is not a picture in a format read here ({', '.join(FORMATS)}).") from None
        except Image.DecompressionBombError:
            raise ImageError(
                f"{name} has more than the {limits.max_pixels:,} pixels allowed: save it smaller."
            ) from None
        except DAMAGE as error:
            raise ImageError(f"{name} is damaged ({error}): take or copy the photo again.") from None


class _Quiet:
    """Pillow warns of large and of odd files; the limits decide, and they raise.

    `warnings.catch_warnings` alone is not for threads: it would put the filters back in any order, and leave the
    process without warnings. Here the first thread in sets them and the last one out puts them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_QUIET_PILLOW = _Quiet()


def crop(rgb: Pixels, box: Box) -> Pixels:
    """Cut `box` = (left, top, right, bottom), pixels, out of `rgb` [H, W, 3]; at least one pixel remains.

    Raises:
        ImageError: the box lies outside the picture or has no area.
    """
    height, width = rgb.shape[:2]
    left, top = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    right, bottom = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    if left >= right or top >= bottom:
        raise ImageError(f"the box {box} has no area inside a picture of {width} x {height} pixels.")
    return rgb[top:bottom, left:right]


def encode_jpeg(rgb: Pixels, quality: int = 90) -> bytes:
    """Encode `rgb` [H, W, 3] as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(rgb: Pixels) -> bytes:
    """Encode `rgb` [H, W, 3] as PNG, which every machine decodes to the same pixels."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def _check_header(image: Image.Image, name: str, limits: ImageLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageError(
            f"{name} has {width} x {height} pixels, more than the {limits.max_pixels:,} allowed: save it smaller."
        )
    if min(width, height) < limits.min_side:
        raise ImageError(f"{name} has only {width} x {height} pixels: at least {limits.min_side} a side are needed.")
    # An MPO is a phone's JPEG with extra views (depth, a preview): its first frame is the photo.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"{name} is animated or has several pages: save the one that shows the thing as JPEG or PNG.")
    if image.mode == "CMYK":
        raise ImageError(f"{name} is a CMYK picture, whose colours depend on a printer: save it as RGB.")
    if image.mode not in PLAIN_MODES or _bits_beyond_8(image):
        raise ImageError(f"{name} has more than 8 bits a channel ({image.mode}): save it as 8-bit RGB.")


def _bits_beyond_8(image: Image.Image) -> bool:
    """Pillow opens a 16-bit RGB PNG as RGB and drops the low bits; its raw mode still says so."""
    tiles = getattr(image, "tile", None) or []
    return any("16" in str(part) for tile in tiles for part in _raw_modes(tile[3]))


def _raw_modes(arguments: object) -> list[str]:
    parts = arguments if isinstance(arguments, tuple) else (arguments,)
    return [part for part in parts if isinstance(part, str)]


def _to_rgb(image: Image.Image) -> Pixels:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in TRANSPARENT_MODES or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        upright = Image.alpha_composite(white, rgba)
    return np.asarray(upright.convert("RGB"))
