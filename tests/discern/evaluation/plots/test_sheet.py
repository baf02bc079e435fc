from __future__ import annotations

import numpy as np
import pytest

from discern.evaluation.plots.answer_sheet import PAPER, WRONG
from discern.evaluation.plots.sheet import FRAME, TEXT_SIZE, Sheet, fitted, font


def test_a_text_that_fits_stays() -> None:
    assert fitted("pill-0007-a", 200) == "pill-0007-a"


@pytest.mark.parametrize("text", ["x" * 500, "washer, stainless, one side coloured, M5" * 2, "iiiii" * 30])
@pytest.mark.parametrize("width", [40, 96, 290])
def test_a_longer_one_loses_its_middle(text: str, width: int) -> None:
    short = fitted(text, width)
    start, end = short.split("...")
    assert text.startswith(start)
    assert text.endswith(end)
    assert len(start) - len(end) in (0, 1)
    assert width - 20 < font(TEXT_SIZE).getlength(short) <= width


def test_a_name_of_several_lines_is_one() -> None:
    assert fitted("a\nb\t c", 200) == "a b c"
    assert fitted("", 200) == ""


def test_a_place_of_no_width_ends() -> None:
    assert fitted("something", 1) == "..."


def test_a_frame_lies_around_the_photo() -> None:
    sheet = Sheet(100, 100, "heading")
    sheet.photo(20, sheet.top + 20, np.full((30, 30, 3), 77, np.uint8), 40, WRONG)
    pixels = np.asarray(sheet.image)[sheet.top :]
    assert (pixels[20:60, 20:60] == 77).all()
    assert (pixels[20 - FRAME : 20, 20:60] == WRONG).all()
    assert (pixels[60 : 60 + FRAME, 20:60] == WRONG).all()
    assert (pixels[:, : 20 - FRAME] == PAPER).all()


def test_every_note_has_a_line() -> None:
    plain, noted = Sheet(300, 50, "heading"), Sheet(300, 50, "heading", ("one", "two"))
    assert plain.image.height - plain.top == noted.image.height - noted.top == 50
    assert noted.top > plain.top
    assert (np.asarray(noted.image)[noted.top :] == 255).all()
