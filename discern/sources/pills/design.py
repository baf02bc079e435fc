"""The design of a pill: random choices only, no pixels.

Lengths are in units of half the pill's length, colours are sRGB from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from discern.sources.pills.config import PillsConfig

Colour = tuple[float, float, float]
Shape = Literal[
    "round", "oval", "oblong", "capsule", "triangle", "square", "rectangle", "diamond", "pentagon", "hexagon", "heart"
]
Score = Literal["none", "across", "along"]
Imprint = Literal["debossed", "embossed", "printed"]

# Without the characters that another one becomes when turned or seen small: 0 O Q, 1 I, 6 9, 7 L, 8 B, 5 S, 2 Z N, M W.
ALPHABET = "ABCDEFGHJKMNPRTUVXY23457"

SHAPES: Mapping[Shape, float] = {
    "round": 0.26, "oval": 0.14, "oblong": 0.14, "capsule": 0.16, "triangle": 0.05, "square": 0.05, "rectangle": 0.04,
    "diamond": 0.05, "pentagon": 0.04, "hexagon": 0.04, "heart": 0.03,
}  # fmt: skip
RATIOS: Mapping[Shape, tuple[float, float]] = {
    "oval": (0.55, 0.76), "oblong": (0.38, 0.5), "capsule": (0.37, 0.44), "rectangle": (0.55, 0.68),
    "diamond": (0.62, 0.85),
}  # fmt: skip
LENGTHS: Mapping[Shape, tuple[float, float]] = {  # of the photo's side
    "round": (0.58, 0.8), "oval": (0.72, 0.88), "oblong": (0.8, 0.94), "capsule": (0.82, 0.94),
}  # fmt: skip
USUAL_LENGTH = (0.64, 0.82)

PALE: Mapping[str, Colour] = {
    "white": (0.95, 0.95, 0.94), "chalk": (0.90, 0.90, 0.88), "ivory": (0.94, 0.91, 0.82), "cream": (0.93, 0.87, 0.73),
}  # fmt: skip
BRIGHT: Mapping[str, Colour] = {
    "lemon": (0.95, 0.87, 0.45), "yellow": (0.93, 0.75, 0.16), "orange": (0.93, 0.52, 0.16), "peach": (0.95, 0.7, 0.54),
    "salmon": (0.90, 0.50, 0.44), "pink": (0.93, 0.66, 0.73), "rose": (0.84, 0.37, 0.50), "red": (0.76, 0.17, 0.17),
    "brick": (0.60, 0.27, 0.21), "brown": (0.44, 0.29, 0.21), "tan": (0.75, 0.59, 0.42), "mint": (0.68, 0.87, 0.74),
    "green": (0.30, 0.62, 0.36), "olive": (0.56, 0.58, 0.30), "teal": (0.19, 0.56, 0.58), "sky": (0.60, 0.79, 0.91),
    "blue": (0.23, 0.46, 0.76), "navy": (0.16, 0.22, 0.45), "lavender": (0.74, 0.68, 0.88), "purple": (0.48, 0.3, 0.6),
    "grey": (0.62, 0.63, 0.64), "charcoal": (0.24, 0.24, 0.26),
}  # fmt: skip
DARK_INKS: tuple[Colour, ...] = ((0.08, 0.08, 0.09), (0.10, 0.14, 0.36), (0.42, 0.09, 0.09), (0.08, 0.28, 0.17))
WHITE_INK: Colour = (0.97, 0.97, 0.95)


@dataclass(frozen=True)
class PillDesign:
    """One class of pill.

    Args:
        shape: its outline.
        ratio: width over length.
        length: its length over the photo's side.
        colours: one, or two for the two halves.
        dome: height of the middle above the rim.
        bevel: width of the rounded rim.
        wall: height of the side under the rim.
        gloss: 0 is chalk, 1 a polished film coat.
        speckle: strength of the grains, 0 for none.
        score: a groove across or along the long axis.
        imprint_style: pressed in, raised or printed.
        ink: the colour of a printed imprint.
        stroke: thickness of the imprint's lines over its letter size.
        two_lines: the imprint stands on two lines.
        grain: seed of the speckles.
        imprint: the text.
    """

    shape: Shape
    ratio: float
    length: float
    colours: tuple[Colour, ...]
    dome: float
    bevel: float
    wall: float
    gloss: float
    speckle: float
    score: Score
    imprint_style: Imprint
    ink: Colour
    stroke: float
    two_lines: bool
    grain: int
    imprint: str


def design_class(config: PillsConfig, class_index: int) -> PillDesign:
    """Design a class of pill; siblings differ by `imprint` alone.

    Raises:
        IndexError: there is no such class.
    """
    family, sibling = config.class_of(class_index)
    design = _design_family(np.random.default_rng([config.seed, family, 0]), config.pale, config.variety)
    texts = np.random.default_rng([config.seed, family, 1])
    return replace(design, imprint=_imprints(texts, len(design.imprint), sibling + 1)[-1])


def luminance(colour: Colour) -> float:
    """Return the lightness of an sRGB colour, from 0 to 1 (Rec. 709 weights on the encoded values)."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def _design_family(rng: np.random.Generator, pale: float, variety: float) -> PillDesign:
    shape = _pick(rng, {name: _mix(share, 1 / len(SHAPES), variety) for name, share in SHAPES.items()})
    colours = _colours(rng, shape, pale, variety)
    capsule = shape == "capsule"
    characters = int(rng.choice([1, 2, 3, 4], p=[0.12, 0.4, 0.3, 0.18]))
    flat = not capsule and rng.random() < 0.35
    score = _score(rng, shape)
    style = _imprint_style(rng, capsule)
    return PillDesign(
        shape=shape,
        ratio=_between(rng, RATIOS.get(shape, (1.0, 1.0))),
        length=_between(rng, LENGTHS.get(shape, USUAL_LENGTH)),
        colours=colours,
        dome=0.02 if flat else _between(rng, (0.10, 0.26)),
        bevel=_between(rng, (0.08, 0.14)) if flat else _between(rng, (0.14, 0.26)),
        wall=0.0 if capsule else _between(rng, (0.22, 0.4) if flat else (0.1, 0.24)),
        gloss=_between(rng, (0.7, 1.0)) if capsule else _between(rng, (0.0, 0.85)),
        speckle=_between(rng, (0.25, 0.7)) if not capsule and rng.random() < 0.16 else 0.0,
        score=score,
        imprint_style=style,
        ink=_ink(colours, DARK_INKS[int(rng.integers(len(DARK_INKS)))]),
        stroke=_between(rng, (0.03, 0.075)),
        two_lines=bool(rng.random() < 0.3),
        grain=int(rng.integers(2**31)),
        imprint="?" * characters,
    )


def _colours(rng: np.random.Generator, shape: Shape, pale: float, variety: float) -> tuple[Colour, ...]:
    first = _shade(rng, PALE if rng.random() < pale else BRIGHT, variety)
    if rng.random() >= (0.75 if shape == "capsule" else _mix(0.08, 0.5, variety)):
        return (first,)
    for _ in range(50):
        second = _shade(rng, PALE if rng.random() < 0.4 else BRIGHT, variety)
        if _contrast(_ink((first, second)), (first, second)) > 0.3 and _distance(first, second) > 0.25:
            return (first, second)
    return (first,)


def _shade(rng: np.random.Generator, palette: Mapping[str, Colour], variety: float) -> Colour:
    """A colour near one of the palette, so that no two families share it exactly."""
    base = np.array(palette[list(palette)[int(rng.integers(len(palette)))]])
    lightness, hue = rng.normal(0, _mix(0.025, 0.05, variety)), rng.normal(0, _mix(0.012, 0.04, variety), 3)
    red, green, blue = np.clip(base + lightness + hue, 0.03, 0.97)
    return (float(red), float(green), float(blue))


def _score(rng: np.random.Generator, shape: Shape) -> Score:
    if shape in {"capsule", "heart", "triangle", "pentagon"} or rng.random() < 0.7:
        return "none"
    if shape in {"oval", "oblong", "rectangle", "diamond"}:
        return "across"
    return "across" if rng.random() < 0.5 else "along"


def _imprint_style(rng: np.random.Generator, capsule: bool) -> Imprint:
    if capsule:
        return "printed"
    chance = rng.random()
    return "debossed" if chance < 0.64 else "printed" if chance < 0.92 else "embossed"


def _ink(colours: tuple[Colour, ...], dark: Colour = DARK_INKS[0]) -> Colour:
    """White or `dark`, whichever reads better on all the colours."""
    return max((dark, WHITE_INK), key=lambda ink: _contrast(ink, colours))


def _contrast(ink: Colour, colours: tuple[Colour, ...]) -> float:
    return min(abs(luminance(ink) - luminance(colour)) for colour in colours)


def _distance(first: Colour, second: Colour) -> float:
    return float(np.linalg.norm(np.subtract(first, second)))


def _imprints(rng: np.random.Generator, characters: int, count: int) -> list[str]:
    """The first `count` texts of a family; no two share their letters, as a turned HN would read NH."""
    texts: list[str] = []
    while len(texts) < count:
        text = "".join(ALPHABET[int(i)] for i in rng.integers(len(ALPHABET), size=characters))
        if sorted(text) not in map(sorted, texts):
            texts.append(text)
    return texts


def _mix(usual: float, varied: float, variety: float) -> float:
    return usual + (varied - usual) * variety


def _between(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(rng.uniform(*limits))


def _pick(rng: np.random.Generator, weights: Mapping[Shape, float]) -> Shape:
    names = list(weights)
    shares = np.cumsum(list(weights.values()))
    return names[int(np.searchsorted(shares / shares[-1], rng.random(), side="right"))]
