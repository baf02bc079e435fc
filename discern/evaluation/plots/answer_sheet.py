"""Queries beside the answered classes, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from edge_runtime.core.images import Pixels, Preprocessing

CELL = 112  # pixels, side of a photo
TEXT = 34  # pixels, height of the two lines under it
GAP = 10
INK, PAPER, MUTED = (32, 33, 36), (255, 255, 255), (110, 114, 120)
RIGHT, WRONG = (38, 132, 82), (196, 52, 44)


@dataclass(frozen=True)
class Exhibit:
    """One query and its answer.

    Attributes:
        query: the photo, [H, W, 3] uint8.
        answer: the reference picture of the answered class, or None for `unknown`.
        title: the answer.
        note: the truth, or the score.
        right: whether the answer is right.
    """

    query: Pixels
    answer: Pixels | None
    title: str
    note: str
    right: bool


def answer_sheet(exhibits: Sequence[Exhibit], heading: str, columns: int = 4) -> Image.Image:
    """Draw exhibits in a grid: the query left, the answered class right, framed by whether it is right.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not exhibits:
        raise ValueError("a sheet needs at least one exhibit")
    columns = min(columns, len(exhibits))
    rows = -(-len(exhibits) // columns)
    width, height = 2 * CELL + GAP * 2, CELL + TEXT + GAP * 2
    top = 44
    sheet = Image.new("RGB", (columns * width + GAP, top + rows * height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 12), heading, INK, font=ImageFont.load_default(17))
    for number, exhibit in enumerate(exhibits):
        left, upper = GAP + number % columns * width, top + number // columns * height
        _draw_exhibit(sheet, draw, exhibit, left, upper)
    return sheet


def _draw_exhibit(sheet: Image.Image, draw: ImageDraw.ImageDraw, exhibit: Exhibit, left: int, upper: int) -> None:
    cell = Preprocessing(CELL)
    sheet.paste(Image.fromarray(cell.apply(exhibit.query)), (left, upper))
    if exhibit.answer is None:
        draw.rectangle((left + CELL, upper, left + 2 * CELL - 1, upper + CELL - 1), (238, 239, 241))
        draw.text((left + CELL * 1.5, upper + CELL / 2), "unknown", MUTED, ImageFont.load_default(15), anchor="mm")
    else:
        sheet.paste(Image.fromarray(cell.apply(exhibit.answer)), (left + CELL, upper))
    colour = RIGHT if exhibit.right else WRONG
    draw.rectangle((left - 3, upper - 3, left + 2 * CELL + 2, upper + CELL + 2), outline=colour, width=3)
    draw.text((left, upper + CELL + 5), _short(exhibit.title), INK, ImageFont.load_default(13))
    draw.text((left, upper + CELL + 20), _short(exhibit.note), colour, ImageFont.load_default(12))


def _short(text: str, limit: int = 34) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
