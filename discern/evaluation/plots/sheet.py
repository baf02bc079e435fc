"""A sheet to draw on: photos in frames, and lines of text that are shortened to fit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from discern.evaluation.plots.answer_sheet import GAP, INK, MUTED, PAPER
from edge_runtime.core.images import Pixels, Preprocessing

FRAME = 3  # pixels, width of a frame, which lies around the photo
LINE = 16  # pixels, height of a line of text
TEXT_SIZE = 13
HEADING_SIZE = 17
Colour = tuple[int, int, int]


class Sheet:
    """A white picture that photos and text are put on, with a heading and muted lines under it.

    Args:
        width: pixels.
        height: pixels, without the heading.
        heading: the first line.
        notes: further lines; a line that is too long is shortened.

    Attributes:
        image: the picture.
        top: where the free area under the heading starts, pixels from above.
    """

    def __init__(self, width: int, height: int, heading: str, notes: tuple[str, ...] = ()) -> None:
        self.top = 2 * GAP + HEADING_SIZE + 6 + len(notes) * LINE
        self.image = Image.new("RGB", (width, self.top + height), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.write(GAP, GAP, heading, width - 2 * GAP, size=HEADING_SIZE)
        for number, note in enumerate(notes):
            self.write(GAP, GAP + HEADING_SIZE + 6 + number * LINE, note, width - 2 * GAP, MUTED)

    def photo(self, left: int, upper: int, photo: Pixels, side: int, frame: Colour | None = None) -> None:
        """Put `photo` [H, W, 3] into a square of `side` pixels, with a frame around it where one is given."""
        self.image.paste(Image.fromarray(Preprocessing(side).apply(photo)), (left, upper))
        if frame is not None:
            outer = (left - FRAME, upper - FRAME, left + side + FRAME - 1, upper + side + FRAME - 1)
            self.draw.rectangle(outer, outline=frame, width=FRAME)

    def write(self, left: int, upper: int, text: str, width: int, colour: Colour = INK, size: int = TEXT_SIZE) -> None:
        """Write one line, shortened to `width` pixels."""
        self.draw.text((left, upper), fitted(text, width, size), colour, font(size))


@lru_cache(maxsize=8)
def font(size: int) -> Any:
    """Pillow's own typeface, which knows Latin letters alone; others are drawn as boxes."""
    return ImageFont.load_default(size)


def fitted(text: str, width: int, size: int = TEXT_SIZE) -> str:
    """Shorten `text` to one line of at most `width` pixels; its middle goes, as names often differ at their ends."""
    line = " ".join(text.split())
    length = len(line)
    short = line
    while length and font(size).getlength(short) > width:
        length -= 1
        short = f"{line[: length - length // 2]}...{line[len(line) - length // 2 :]}"
    return short
