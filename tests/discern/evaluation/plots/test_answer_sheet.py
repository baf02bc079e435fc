from __future__ import annotations

import numpy as np
import pytest

from discern.evaluation.plots.answer_sheet import CELL, RIGHT, WRONG, Exhibit, answer_sheet
from edge_runtime.core.images import Pixels


def plain(colour: tuple[int, int, int], width: int = 40) -> Pixels:
    return np.full((30, width, 3), colour, np.uint8)


def exhibit(*, right: bool = True, unknown: bool = False, title: str = "red", note: str = "is red") -> Exhibit:
    return Exhibit(plain((200, 10, 10)), None if unknown else plain((10, 10, 200)), title, note, right)


def colours(exhibits: list[Exhibit]) -> set[tuple[int, ...]]:
    pixels = np.asarray(answer_sheet(exhibits, "heading"))
    return {tuple(colour.tolist()) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}


def test_query_and_answer_stand_side_by_side() -> None:
    assert {(200, 10, 10), (10, 10, 200), RIGHT} <= colours([exhibit()])
    assert WRONG not in colours([exhibit()])


def test_a_wrong_answer_is_framed_as_one() -> None:
    assert WRONG in colours([exhibit(right=False)])
    assert RIGHT not in colours([exhibit(right=False)])


def test_unknown_has_no_picture() -> None:
    assert (10, 10, 200) not in colours([exhibit(unknown=True)])


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (4, 4, 1), (5, 4, 2), (9, 4, 3)])
def test_the_sheet_grows_with_what_is_shown(count: int, columns: int, rows: int) -> None:
    image = answer_sheet([exhibit()] * count, "heading")
    assert image.width // (2 * CELL) == columns
    assert rows * CELL < image.height < (rows + 1) * 2 * CELL


def test_long_and_foreign_texts_fit() -> None:
    image = answer_sheet([exhibit(title="x" * 500, note="Größe 5 €")], "heading")
    assert image.width < 3 * CELL


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        answer_sheet([], "heading")
