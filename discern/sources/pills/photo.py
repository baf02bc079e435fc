"""One photo of a sample pill: pose, light, table and camera.

Light is linear until the camera; textures pass Pillow's 8 bits as square roots, near enough to what a screen does.
A photo is the same to the byte on one machine; another processor may round a pixel differently.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from discern.sources.pills.background import background, noise
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.design import PillDesign, design_class
from discern.sources.pills.relief import EXTENT, Relief, build_relief
from edge_runtime.core.images import Pixels, encode_jpeg

DETAIL = 1.25  # relief pixels a photo pixel
QUALITY = 92  # of the JPEG
CAMERA = 3.5  # distance of the camera over the photo's side


@dataclass(frozen=True)
class Scene:
    """The facts that differ from photo to photo.

    Args:
        turn: rotation of the pill's axes into the photo's, [3, 3]; z points to the camera.
        at: where the pill's middle lies, pixels.
        scale: half the pill's length, pixels.
        light: unit vector to the lamp, in the photo's axes.
        key: the lamp's RGB strength.
        ambient: RGB strength of the light from all around.
    """

    turn: NDArray[np.float64]
    at: NDArray[np.float64]
    scale: float
    light: NDArray[np.float64]
    key: NDArray[np.float32]
    ambient: NDArray[np.float32]


def render_photo(config: PillsConfig, class_index: int, photo_index: int) -> Pixels:
    """Render one photo: a pure function of the settings, the class and the photo's number.

    Returns:
        uint8 [size, size, 3], RGB.

    Raises:
        IndexError: there is no such class.
    """
    design = design_class(config, class_index)
    rng = np.random.default_rng([config.seed, *config.class_of(class_index), 2, photo_index])
    relief = build_relief(design, round(DETAIL * config.size))
    scene = _scene(rng, config, design)
    light = background(rng, config.size, config.clutter) * _shadow(rng, scene, design, relief, config.size)[..., None]
    light *= scene.ambient + scene.key * np.float32(scene.light[2])
    light = _lay(light, scene, design, _shade(rng, scene, design, relief))
    return _camera(rng, light, config.clutter)


def encode_photo(config: PillsConfig, class_index: int, photo_index: int) -> bytes:
    """The photo that `render_photo` renders, as JPEG."""
    return encode_jpeg(render_photo(config, class_index, photo_index), QUALITY)


def _scene(rng: np.random.Generator, config: PillsConfig, design: PillDesign) -> Scene:
    size, clutter = config.size, config.clutter
    lean = np.radians(config.tilt) * np.sqrt(rng.random())
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(62 - 22 * clutter, 66))
    light = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    exposure = np.exp(rng.normal(0, 0.05 + 0.10 * clutter))
    warmth = rng.normal(0, 0.02 + 0.05 * clutter)
    tint = np.exp([warmth, 0.25 * rng.normal(0, 0.05 * clutter), -warmth]) * exposure
    share = rng.uniform(0.55, 0.75)  # of the light comes from the lamp
    return Scene(
        turn=_rotation(rng.uniform(0, 2 * np.pi), lean, rng.uniform(0, 2 * np.pi)),
        at=size / 2 + rng.uniform(-1, 1, 2) * size * (0.02 + 0.04 * clutter),
        scale=design.length * size / 2 * float(np.exp(rng.normal(0, 0.02 + 0.03 * clutter))),
        light=light,
        key=(tint * share * 1.1).astype(np.float32),
        ambient=(tint * (1 - share)).astype(np.float32),
    )


def _rotation(spin: float, lean: float, towards: float) -> NDArray[np.float64]:
    """Turn by `spin` in the plane, then lean by `lean` about the axis at the angle `towards` (Rodrigues' formula)."""
    cos, sin = np.cos(spin), np.sin(spin)
    plane = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    ax, ay = np.cos(towards), np.sin(towards)
    cross = np.array([[0, 0, ay], [0, 0, -ax], [-ay, ax, 0]])
    return (np.eye(3) + np.sin(lean) * cross + (1 - np.cos(lean)) * cross @ cross) @ plane


def _shade(rng: np.random.Generator, scene: Scene, design: PillDesign, relief: Relief) -> Image.Image:
    """The lit surface and, as fourth band, its mask, in the relief's own frame.

    Lambert's law for the lamp, light from the whole sky, Blinn-Phong gloss.
    """
    lamp = (scene.turn.T @ scene.light).astype(np.float32)
    half = scene.turn.T @ (scene.light + np.array([0, 0, 1]))
    half = (half / np.linalg.norm(half)).astype(np.float32)
    nx, ny, nz = relief.normals
    facing = np.maximum(nx * lamp[0] + ny * lamp[1] + nz * lamp[2], 0)[..., None]
    surface = relief.albedo * (scene.key * facing + scene.ambient * (0.4 + 0.6 * nz)[..., None])
    if relief.grains is not None:
        shift = rng.integers(relief.grains.shape[0], size=2)
        surface *= np.roll(relief.grains, (int(shift[0]), int(shift[1])), axis=(0, 1))[..., None]
    if design.gloss > 0.15:
        shine = np.maximum(nx * half[0] + ny * half[1] + nz * half[2], 0)
        for _ in range(3 + round(3 * design.gloss)):
            shine *= shine
        surface += (0.7 * design.gloss**1.5 * shine)[..., None] * scene.key
    pixels = np.empty((*relief.mask.shape, 4), dtype=np.uint8)
    pixels[..., :3] = np.sqrt(np.clip(surface, 0, 1)) * 255
    pixels[..., 3] = relief.mask
    # RGBX, not RGBA: Pillow would multiply the colours by the mask and back at every projection.
    return Image.frombuffer("RGBX", (relief.mask.shape[1], relief.mask.shape[0]), pixels.tobytes(), "raw", "RGBX", 0, 1)


def _lay(light: NDArray[np.float32], scene: Scene, design: PillDesign, surface: Image.Image) -> NDArray[np.float32]:
    """Lay the pill on the table, its side wall first, in slices from the bottom up."""
    size = light.shape[0]
    slices = 3 if design.wall else 0
    for level in range(slices, -1, -1):
        below = design.wall * level / max(1, slices)
        rgba = np.asarray(_project(surface, scene, below, size), dtype=np.float32) / 255
        cover = rgba[..., 3:]
        light = light + cover * (rgba[..., :3] ** 2 * (0.62 if level else 1.0) - light)
    return light


def _shadow(
    rng: np.random.Generator, scene: Scene, design: PillDesign, relief: Relief, size: int
) -> NDArray[np.float32]:
    """Return the light that reaches the table, [size, size]: a blurred shadow beside the pill, one below it."""
    thickness = max(design.wall, 0.2)
    outline = _project(Image.fromarray(relief.mask), scene, design.wall, size)
    reach = scene.scale * thickness / np.tan(np.arcsin(scene.light[2]))
    dx, dy = (-scene.light[:2] / np.hypot(*scene.light[:2]) * reach * 0.8).tolist()
    cast = outline.transform(outline.size, Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy), Image.Resampling.BILINEAR)
    soft = cast.filter(ImageFilter.GaussianBlur(size / 96 * rng.uniform(1.2, 3.5)))
    near = outline.filter(ImageFilter.BoxBlur(size / 96 * 2))
    dark = 0.5 * np.asarray(soft, dtype=np.float32) + 0.35 * np.asarray(near, dtype=np.float32)
    return 1 - dark / 255


def _project(surface: Image.Image, scene: Scene, below: float, size: int) -> Image.Image:
    """See the pill's plane at the depth `below` its rim (half lengths) through the camera."""
    side = surface.width
    to_plane = np.array([[2 / side, 0, -1], [0, 2 / side, -1], [0, 0, 1]]) * np.array([[1 / EXTENT], [1 / EXTENT], [1]])
    columns = scene.turn * scene.scale
    space = np.stack([columns[:, 0], columns[:, 1], -below * columns[:, 2]], axis=1)
    distance = CAMERA * size
    depth = np.array([0, 0, distance]) - space[2]
    seen = np.stack([distance * space[0] + scene.at[0] * depth, distance * space[1] + scene.at[1] * depth, depth])
    coefficients = _inverse((seen @ to_plane).tolist())
    return surface.transform((size, size), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)


def _inverse(rows: list[list[float]]) -> list[float]:
    """The eight coefficients of the inverse homography, by cofactors: for 3 x 3, LAPACK takes longer to start."""
    (a, b, c), (d, e, f), (g, h, i) = rows
    last = a * e - b * d
    cofactors = (e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f)
    return [value / last for value in (*cofactors, d * h - e * g, b * g - a * h)]


def _camera(rng: np.random.Generator, light: NDArray[np.float32], clutter: float) -> Pixels:
    """Uneven light, exposure curve, blur and noise of the sensor."""
    size = light.shape[0]
    light = light * (1 + (0.03 + 0.12 * clutter) * noise(rng, size, (2, 2)))[..., None]
    if rng.random() < 0.4 * clutter:  # the hand shook
        step = rng.integers(-1, 2, size=2) * max(1, round(size / 96))
        light = (light + np.roll(light, (int(step[0]), int(step[1])), axis=(0, 1))) / 2
    image = Image.fromarray((np.sqrt(np.clip(light, 0, 1)) * 255).astype(np.uint8))
    blur = size / 96 * (0.3 + clutter * rng.exponential(0.45))
    image = image.filter(ImageFilter.GaussianBlur(min(blur, size / 96 * 1.3)))
    grain = rng.standard_normal((size, size, 3), dtype=np.float32) * np.float32(1 + 5 * clutter * rng.random())
    pixels = np.asarray(image, dtype=np.float32) + grain
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)
