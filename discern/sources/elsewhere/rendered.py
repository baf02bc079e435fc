"""Photos of nothing in particular, rendered: pills, surfaces, gradients, noise, blurred shapes, strokes like writing.

They stand for what a camera sees when nobody shows it a thing of the use case. They are easier to refuse than things
that look like the enrolled ones, so that a rate measured on them is a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from discern.sources.pills.background import background, noise
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.photo import render_photo
from edge_runtime.core.images import Pixels

SIDE = 96  # pixels, before the frame is cut
SEED = 20_261_128
FRAMES = ((1.0, 1.0), (1.0, 0.75), (0.75, 1.0))  # width and height, of the side: square, as a camera lies, as it stands
PILLS = PillsConfig(families=64, photos_per_class=100, size=SIDE, seed=SEED)


def rendered_photo(number: int) -> Pixels:
    """Render a photo: a pure function of its number; the kinds take turns.

    Returns:
        uint8 [H, W, 3], RGB, the longer side `SIDE` pixels.
    """
    rng = np.random.default_rng([SEED, number])
    picture = _KINDS[number % len(_KINDS)](rng)
    width, height = (round(share * SIDE) for share in FRAMES[int(rng.integers(len(FRAMES)))])
    left, top = (SIDE - width) // 2, (SIDE - height) // 2
    return picture[top : top + height, left : left + width]


def _pill(rng: np.random.Generator) -> Pixels:
    return render_photo(PILLS, int(rng.integers(PILLS.classes)), int(rng.integers(PILLS.photos_per_class)))


def _surface(rng: np.random.Generator) -> Pixels:
    return _pixels(background(rng, SIDE, clutter=float(rng.random())) ** np.float32(1 / 2.2))


def _gradient(rng: np.random.Generator) -> Pixels:
    """One colour that turns into another, with a little of a sensor's noise."""
    first, second = rng.random((2, 3))
    axis = np.linspace(-0.5, 0.5, SIDE)
    turn = rng.uniform(0, 2 * np.pi)
    along = axis[None, :] * np.cos(turn) + axis[:, None] * np.sin(turn)
    share = 1 / (1 + np.exp(-along * rng.uniform(2, 30)))[..., None]
    return _pixels(first + (second - first) * share + rng.normal(0, 0.01, (SIDE, SIDE, 3)))


def _noise(rng: np.random.Generator) -> Pixels:
    """Coloured noise of one scale, from a few large patches to single pixels."""
    cells = int(2 ** rng.uniform(1, np.log2(SIDE)))
    fields = np.stack([noise(rng, SIDE, (cells, cells)) for _ in range(4)], axis=-1)
    colourful = rng.random()
    return _pixels(rng.random(3) + 0.4 * ((1 - colourful) * fields[..., 3:] + colourful * fields[..., :3]))


def _shapes(rng: np.random.Generator) -> Pixels:
    """Some discs and boxes, out of focus."""
    image, draw = _canvas(rng, low=0)
    for _ in range(int(rng.integers(1, 7))):
        corner, extent = rng.uniform(-0.2, 0.8, 2) * SIDE, rng.uniform(0.15, 0.7, 2) * SIDE
        form = draw.ellipse if rng.random() < 0.6 else draw.rectangle
        form((*corner.tolist(), *(corner + extent).tolist()), fill=_colour(rng))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 6))))


def _strokes(rng: np.random.Generator) -> Pixels:
    """Lines of short strokes on something light, like writing that nobody can read."""
    image, draw = _canvas(rng, low=140)
    letter, ink = rng.uniform(4, 14), _colour(rng, high=90)
    for y in np.arange(letter, SIDE - letter, letter * 1.6):
        for x in np.arange(letter, SIDE - letter, letter * 0.9):
            if rng.random() < 0.82:  # the others are blanks between words
                points = (rng.uniform(0, 1, (4, 2)) * (0.7, 1.0) * letter + (x, y)).tolist()
                draw.line([tuple(point) for point in points], fill=ink, width=max(1, round(letter / 6)))
    return np.asarray(image.rotate(rng.normal(0, 6), Image.Resampling.BILINEAR, fillcolor=image.getpixel((0, 0))))


def _canvas(rng: np.random.Generator, low: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (SIDE, SIDE), _colour(rng, low=low))
    return image, ImageDraw.Draw(image)


def _colour(rng: np.random.Generator, low: int = 0, high: int = 255) -> tuple[int, int, int]:
    red, green, blue = rng.integers(low, high + 1, 3).tolist()
    return red, green, blue


def _pixels(light: NDArray[np.floating]) -> Pixels:
    """Return shares of full scale as uint8."""
    return np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)


_KINDS: tuple[Callable[[np.random.Generator], Pixels], ...] = (_pill, _surface, _gradient, _noise, _shapes, _strokes)
