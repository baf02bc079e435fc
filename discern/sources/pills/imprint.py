"""The imprint's letters on a pill, and their coverage in pixels.

Lengths are in units of half the pill's length unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from discern.sources.pills.design import PillDesign
from discern.sources.pills.shapes import Field

MARGIN = 0.09  # between the letters and the outline
LETTER = (0.62, 0.72)  # width and height of a usual capital over the letter size
SIZES = np.linspace(1.1, 0.2, 31)  # letter sizes, the first that fits is taken


@dataclass(frozen=True)
class Slot:
    """The box of one line: its middle, its sides."""

    x: float
    y: float
    width: float
    height: float


def imprint_coverage(design: PillDesign, distance: Field, scale: float) -> Field:
    """Return the share of each pixel that the imprint covers, 0 to 1.

    Args:
        design: the pill.
        distance: signed distance of the pixels to its outline, [side, side].
        scale: pixels a half length.
    """
    side = distance.shape[0]
    lines = _lines(design)
    size, slots = _fit(design, lines, distance, scale)
    canvas = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(canvas)
    for line, slot in zip(lines, slots, strict=True):
        centre = (side / 2 + slot.x * scale, side / 2 + slot.y * scale)
        _write(draw, line, centre, size * scale, design.stroke, slot.width * scale)
    return np.asarray(canvas, dtype=np.float32) / 255


def _lines(design: PillDesign) -> list[str]:
    text = design.imprint
    if len(text) == 1 or (design.score == "none" and not _stacked(design)):
        return [text]
    middle = (len(text) + 1) // 2
    return [text[:middle], text[middle:]]


def _stacked(design: PillDesign) -> bool:
    """Return True if two lines stand one above the other."""
    roomy = design.ratio > 0.7 and design.shape not in {"triangle", "diamond"}
    return design.score == "along" or (design.two_lines and roomy and design.score == "none")


def _fit(design: PillDesign, lines: list[str], distance: Field, scale: float) -> tuple[float, list[Slot]]:
    """The largest letter size at which usual letters stay inside the outline, and the lines' boxes.

    It depends on the number of letters alone, so siblings share the boxes.
    """
    longest = max(len(line) for line in lines)
    for size in SIZES.tolist():
        width, height = ((side + 2 * design.stroke) * size for side in LETTER)
        slots = _slots(design, len(lines), width * longest, height)
        if all(_inside(distance, slot, scale) for slot in slots):
            break
    return size, slots


def _slots(design: PillDesign, count: int, width: float, height: float) -> list[Slot]:
    gap = 0.1 if design.score != "none" else 0.07
    low = 0.12 if design.shape == "triangle" else -0.08 if design.shape == "heart" else 0.0
    centres = [(0.0, low)]
    if design.score == "across":
        centres = [(-gap - width / 2, low), (gap + width / 2, low)]
    elif design.score == "along" or count == 2:
        centres = [(0.0, low - gap - height / 2), (0.0, low + gap + height / 2)]
    return [Slot(x, y, width, height) for x, y in centres[:count]]


def _inside(distance: Field, slot: Slot, scale: float) -> bool:
    side = distance.shape[0]
    for x in (slot.x - slot.width / 2, slot.x + slot.width / 2):
        for y in (slot.y - slot.height / 2, slot.y + slot.height / 2):
            column, row = int(side / 2 + x * scale), int(side / 2 + y * scale)
            if not (0 <= column < side and 0 <= row < side) or distance[row, column] > -MARGIN:
                return False
    return True


def _write(
    draw: ImageDraw.ImageDraw, line: str, centre: tuple[float, float], size: float, stroke: float, room: float
) -> None:
    """Write `line` about `centre`; all in pixels but `stroke`, which is over the letter size.

    The thickened letters do not touch, and wide ones are made smaller until the line fits into `room`.
    """
    width = sum(_advances(line, size, stroke))
    size = max(4.0, size * min(1.0, room / width))
    font, advances = _font(size), _advances(line, size, stroke)
    _, top, _, bottom = draw.textbbox((0, 0), line, font=font)
    at = centre[0] - sum(advances) / 2 + advances[0] / 2
    for letter, advance, following in zip(line, advances, [*advances[1:], 0.0], strict=True):
        corner = (at - font.getlength(letter) / 2, centre[1] - (top + bottom) / 2)
        draw.text(corner, letter, fill=255, font=font, stroke_width=stroke * size)
        at += (advance + following) / 2


def _advances(line: str, size: float, stroke: float) -> list[float]:
    font = _font(size)
    return [font.getlength(letter) + (2 * stroke + 0.02) * size for letter in line]


def _font(size: float) -> ImageFont.FreeTypeFont:
    """The outline font that comes with Pillow."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(max(4.0, size)))
