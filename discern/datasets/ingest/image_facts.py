"""What is told from one photo by decoding it once."""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import imagehash
import numpy as np
from PIL import Image

from discern.datasets.appearance import describe
from discern.sources.base import Photo
from edge_runtime.core.images import DAMAGE, Pixels, decode
from edge_runtime.errors import ImageError

MEASURED_SIDE = 256  # pixels to which a photo's longer side is scaled down before brightness and sharpness
ODD = 16  # pixels that say nothing, such as a hot one of the sensor and its neighbours
LEAST_SIDE = 5  # pixels that smoothing and the Laplacian take together
NOISE = 8.0  # grey levels added to the range, so that the noise of an even picture counts for nothing
EXIF_FOLDER, EXIF_TAKEN, EXIF_OFFSET = 0x8769, 0x9003, 0x9011  # tags of EXIF 2.32
EXIF_ELSEWHERE = (b"RIFF", b"\x89PNG", b"II*\0", b"MM\0*")  # where EXIF may lie at the end, or is the file itself


@dataclass(frozen=True, slots=True)
class ShownFacts:
    """What is told from the pixels that a model sees: a whole picture, or a thing in it with its margin.

    Args:
        brightness: mean luma, 0 to 1.
        sharpness: how sudden the most sudden changes are: the largest absolute Laplacian but for `ODD` pixels over the
            range of luma, of the picture scaled down to `MEASURED_SIDE` and smoothed a little. The Laplacian as a
            measure of focus: Pech-Pacheco et al., ICPR 2000; here contrast is divided out and only the sharpest edge
            counts, since small objects on plain ground have few. Of 300 photos each of four sets none was below .11 as
            it came; blurred with a sigma of 1/32 of their side 95 in 100 were below .065.
        phash: 64-bit perceptual hash (the signs of low frequencies), which hardly changes with scale and compression.
        appearance: see `discern.datasets.appearance`.
    """

    brightness: float
    sharpness: float
    phash: int
    appearance: bytes


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What decoding told.

    Args:
        sha256: of the encoded image, hexadecimal.
        width: of the upright picture, pixels.
        height: likewise.
        captured_at: when the camera says it was taken.
        brightness: of the whole picture; likewise the others, see `ShownFacts`.
    """

    sha256: str
    width: int
    height: int
    captured_at: datetime | None
    brightness: float
    sharpness: float
    phash: int
    appearance: bytes


def measure_image(data: bytes, name: str) -> ImageFacts:
    """Decode and measure one encoded photo.

    Raises:
        ImageError: it cannot be used; the message names it.
    """
    try:
        rgb = decode(data, name)
    except ImageError as error:
        message = str(error)
        raise ImageError(message if name in message else f"{name}: {message}") from None
    sha256 = hashlib.sha256(data).hexdigest()
    return ImageFacts(sha256, rgb.shape[1], rgb.shape[0], _taken(data), **asdict(measure_shown(rgb)))


def measure_shown(rgb: Pixels) -> ShownFacts:
    """Measure what is shown, uint8 [h, w, 3]."""
    grey = Image.fromarray(rgb).convert("L")
    phash = int.from_bytes(np.packbits(imagehash.phash(grey).hash).tobytes(), "big")
    if min(grey.size) * MEASURED_SIDE >= 8 * max(grey.size):  # of a strip nothing would be left
        grey.thumbnail((MEASURED_SIDE, MEASURED_SIDE))
    brightness, sharpness = _light(np.asarray(grey))
    return ShownFacts(brightness, sharpness, phash, describe(rgb))


def measure_photo(photo: Photo) -> tuple[bytes, ImageFacts | str]:
    """The photo's bytes, with its facts or with the sentence that says why it cannot be used."""
    data = photo.load()
    try:
        return data, measure_image(data, photo.name)
    except ImageError as error:
        return data, str(error)


def _light(grey: Pixels) -> tuple[float, float]:
    """Brightness and sharpness of uint8 [h, w], as `ImageFacts` says; what is too small for a Laplacian has none, 0."""
    luma = grey.astype(np.float32)
    if min(luma.shape) < LEAST_SIDE:
        return float(luma.mean()) / 255, 0.0
    smooth = (luma[:-2] + 2 * luma[1:-1] + luma[2:]) / 4
    smooth = (smooth[:, :-2] + 2 * smooth[:, 1:-1] + smooth[:, 2:]) / 4
    laplacian = smooth[:-2, 1:-1] + smooth[2:, 1:-1] + smooth[1:-1, :-2] + smooth[1:-1, 2:] - 4 * smooth[1:-1, 1:-1]
    odd = min(ODD, laplacian.size)
    contrast = float(luma.max() - luma.min()) + NOISE
    return float(luma.mean()) / 255, float(np.partition(np.abs(laplacian).ravel(), -odd)[-odd]) / contrast


def _taken(data: bytes) -> datetime | None:
    """EXIF's time, in UTC; a camera that does not say its zone is taken to show UTC."""
    if b"Exif" not in data[:65536] and data[:4] not in EXIF_ELSEWHERE:
        return None
    try:
        with Image.open(io.BytesIO(data)) as image:
            exif = image.getexif()
        inner = exif.get_ifd(EXIF_FOLDER)
        text = str(inner.get(EXIF_TAKEN) or "").strip("\0 ")
        taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
        offset = str(inner.get(EXIF_OFFSET) or "").strip("\0 ")
        return datetime.strptime(f"{text} {offset}", "%Y:%m:%d %H:%M:%S %z").astimezone(UTC) if offset else taken
    except DAMAGE:  # a time that cannot be read is none: the picture itself was found whole
        return None
