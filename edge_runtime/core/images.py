"""The preprocessing contract: encoded bytes in, the model's uint8 pixels out.

Training, enrolment, evaluation and the device all come through here. There is no second way.

Rules kept:
- nothing is decoded before its header passed the limits on bytes and pixels;
- EXIF orientation is applied; grey, palette and transparent pictures become RGB (transparency over white);
- colours become sRGB's, by the picture's own profile where it has one (`colour`);
- what has no one meaning as 8-bit sRGB is refused, not guessed: several frames, camera raw, and without a profile CMYK
  and more than 8 bits.
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
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError, features

from edge_runtime.core.colour import check_colours, conversion_of, to_srgb
from edge_runtime.core.file_kinds import HEIC, RAW, is_raw, is_raw_tiff, unread_kind
from edge_runtime.errors import ImageError

try:
    from pi_heif import register_heif_opener
except ImportError:  # an extra: not every device is shown an iPhone's photos
    READS_HEIC = False
else:
    register_heif_opener()
    READS_HEIC = True

Pixels = NDArray[np.uint8]
Fit = Literal["letterbox", "stretch"]
Box = tuple[float, float, float, float]

FORMATS = (
    *("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"),  # Pillow opens a phone's MPO as a JPEG
    *(("AVIF",) if features.check("avif") else ()),
    *(("HEIF",) if READS_HEIC else ()),
)
NAMES = ", ".join(FORMATS).replace("HEIF", "HEIC")  # as people know them
# An MPO is a phone's JPEG with extra views (depth, a preview), a HEIC may hold a burst: the first, or primary, picture
# is the photo.
WITH_ONE_PHOTO = frozenset({"MPO", "HEIF"})
ORIENTATION = 0x0112  # EXIF's tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Text beside a picture is read up to 64 MB in all; Pillow's own 1 MB a text is less than some programs write.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
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

    def filled(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return where `apply` puts a photo of `width` x `height` pixels: left, top, right, bottom."""
        if self.fit == "stretch":
            return 0, 0, self.size, self.size
        # As `ImageOps.pad` rounds.
        across = self.size if width >= height else max(1, round(width / height * self.size))
        down = self.size if height >= width else max(1, round(height / width * self.size))
        left, top = round((self.size - across) * 0.5), round((self.size - down) * 0.5)
        return left, top, left + across, top + down


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
                if is_raw(data, name) or is_raw_tiff(image):
                    raise ImageError(f"{name} is {RAW.words}: {RAW.mend}.")
                conversion = conversion_of(image)
                _check_header(image, name, limits)
                check_colours(image, name, conversion)
                return np.asarray(to_srgb(_upright(image), conversion))
        except UnidentifiedImageError:
            raise ImageError(_unread(data, name)) from None
        except Image.DecompressionBombError:
            raise ImageError(
                f"{name} has more than the {limits.max_pixels:,} pixels allowed: save it smaller."
            ) from None
        except DAMAGE as error:
            raise ImageError(_damaged(error, name)) from None


def _unread(data: bytes, name: str) -> str:
    """Return the sentence about a file that no reader of Pillow's knows."""
    kind = unread_kind(data, name)
    if kind is None:
        return f"{name} is not a picture in a format read here ({NAMES})."
    if kind == HEIC and READS_HEIC:
        return f"{name} is a damaged HEIC photo: take or copy the photo again."
    return f"{name} is {kind.words}: {kind.mend}."


def _damaged(error: Exception, name: str) -> str:
    if "MAX_TEXT" in str(error):
        return f"{name} holds more than 64 MB of text beside the picture: save it without its metadata."
    return f"{name} is damaged ({error}): take or copy the photo again."


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
    if image.format not in WITH_ONE_PHOTO and getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"{name} is animated or has several pages: save the one that shows the thing as JPEG or PNG.")


def _upright(image: Image.Image) -> Image.Image:
    """Return a picture loaded and turned as its EXIF says; EXIF that cannot be read says nothing."""
    image.load()
    turn = TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 to 8, or 0 where it states none."""
    try:
        stated = image.getexif().get(ORIENTATION) or _first_orientation(image.info.get("exif", b""))
    except DAMAGE:
        return 0
    return int(stated) if isinstance(stated, int | float) else 0


def _first_orientation(exif: bytes) -> int:
    """Read the orientation alone: Pillow reads nothing behind an entry whose text lies outside of EXIF."""
    body = exif.removeprefix(b"Exif\0\0")
    order = "<" if body[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", body, 4)
    (count,) = struct.unpack_from(f"{order}H", body, start)
    for number in range(count):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", body, start + 2 + 12 * number)
        if tag == ORIENTATION:
            return int(value)
    return 0
