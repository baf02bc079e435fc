"""Other cameras: a photo as a webcam, an old phone or an inspection camera would have taken it.

Nothing here is shared with the augmentation of cameras (`discern.learning.camera`), which is measured by it. Vignette,
haze and sharpening have no counterpart there: the inspection camera is the one that a model is not prepared for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from edge_runtime.core.images import Pixels, decode, encode_jpeg

GAMMA = 2.2
BLUR_SIDE = 96  # pixels of the side at which `blur` is stated


@dataclass(frozen=True)
class Camera:
    """A lens, a sensor and what the camera makes of its signal.

    Args:
        resolution: side of its photo over that of the given one.
        gains: of red, green and blue, in linear light.
        unsteady: standard deviation of the exposure between two photos, stops.
        vignette: share of the light that the corners lose.
        haze: stray light over the whole photo, of full scale.
        saturation: 1 keeps colours, 0 leaves grey.
        blur: radius at 96 pixels a side.
        sharpening: strength of the unsharp mask.
        noise: standard deviation at full light.
        contrast: slope of the tone curve at middle grey.
        quality: of the JPEG.
    """

    resolution: float = 1.0
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    unsteady: float = 0.0
    vignette: float = 0.0
    haze: float = 0.0
    saturation: float = 1.0
    blur: float = 0.0
    sharpening: float = 0.0
    noise: float = 0.0
    contrast: float = 1.0
    quality: int = 95


CAMERAS = {
    "webcam": Camera(
        resolution=0.42, gains=(0.82, 1.0, 1.22), unsteady=0.15, vignette=0.35, blur=0.5, noise=0.05, contrast=1.25,
        quality=40,
    ),
    "phone": Camera(
        resolution=0.7, gains=(1.2, 1.0, 0.72), unsteady=0.1, vignette=0.15, saturation=1.2, sharpening=0.6, noise=0.02,
        contrast=1.1, quality=70,
    ),
    "inspection": Camera(
        gains=(0.85, 0.9, 0.85), haze=0.02, saturation=0.85, sharpening=0.8, noise=0.015, contrast=0.95,
    ),
}  # fmt: skip


def photograph(photo: Pixels, camera: Camera, number: int) -> Pixels:
    """Take a photo again by another camera: a pure function of its arguments.

    Args:
        photo: uint8 [side, side, 3], RGB.
        camera: takes it.
        number: of the photo; another number, another noise.

    Returns:
        uint8 [s, s, 3], RGB, with s the camera's own resolution.
    """
    rng = np.random.default_rng(number)
    side = max(8, round(photo.shape[0] * camera.resolution))
    light = _lens((photo / np.float32(255)) ** GAMMA, camera) * 2 ** (camera.unsteady * rng.standard_normal())
    image = Image.fromarray(_encoded(light)).filter(ImageFilter.GaussianBlur(camera.blur * len(photo) / BLUR_SIDE))
    light = (np.asarray(image.resize((side, side), Image.Resampling.BOX)) / np.float32(255)) ** GAMMA
    noise = camera.noise * rng.standard_normal(light.shape) * np.sqrt(light + 0.01)
    image = Image.fromarray(_toned(_encoded(light + noise), camera.contrast))
    image = image.filter(ImageFilter.UnsharpMask(1, round(100 * camera.sharpening), 0))
    return decode(encode_jpeg(np.asarray(image), camera.quality))


def _lens(light: NDArray[np.float32], camera: Camera) -> NDArray[np.float32]:
    """Mix the colours of `light`, scale them, darken the corners and add stray light."""
    grey = light.mean(2, keepdims=True)
    axis = np.linspace(-1, 1, len(light), dtype=np.float32)
    corner = (axis[:, None] ** 2 + axis**2)[..., None] / 2
    mixed = grey + camera.saturation * (light - grey)
    return mixed * np.array(camera.gains, np.float32) * (1 - camera.vignette * corner) + np.float32(camera.haze)


def _encoded(light: NDArray[np.float32]) -> Pixels:
    return np.rint(np.clip(light, 0, 1) ** (1 / GAMMA) * 255).astype(np.uint8)


def _toned(pixels: Pixels, contrast: float) -> Pixels:
    """Bend the tones around middle grey, black and white staying where they are."""
    x = pixels / 127.5 - 1
    return np.rint((np.sign(x) * (1 - (1 - np.abs(x)) ** contrast) + 1) * 127.5).astype(np.uint8)
