"""The retrieval grid: queries beside their nearest classes, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from discern.evaluation.plots.answer_quality import COLOURS, WORST_FIRST, AnswerQuality, answer_qualities
from discern.evaluation.plots.answer_sheet import GAP, INK, MUTED, RIGHT
from discern.evaluation.plots.sheet import FRAME, LINE, Sheet
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.images import Pixels

PLAIN = (214, 216, 220)  # the frame of a class that is not the query's own

SIDE = 96  # pixels, of a photo
WORDS = 190  # pixels, for the text beside the query
STEP = SIDE + 2 * FRAME + GAP  # pixels from one neighbour to the next
ROW = SIDE + 2 * FRAME + 2 * LINE + GAP  # pixels from one query to the next
NOTES = (
    "Query: green answered right, red given a wrong name, amber answered unknown although enrolled.",
    "Nearest classes, with their scores: green the query's own, grey another.",
)


@dataclass(frozen=True)
class Neighbour:
    """One of the nearest classes.

    Attributes:
        photo: an enrolled photo of it, [H, W, 3] uint8.
        label: its name.
        score: of its class.
        own: whether it is the query's own class.
    """

    photo: Pixels
    label: str
    score: float
    own: bool


@dataclass(frozen=True)
class GridRow:
    """One query.

    Attributes:
        query: its number among the queries.
        photo: the query, [H, W, 3] uint8.
        caption: lines beside it: the true label, the answer, and at most four more.
        quality: of the answer.
        neighbours: the nearest classes, best first.
    """

    query: int
    photo: Pixels
    caption: tuple[str, ...]
    quality: AnswerQuality
    neighbours: tuple[Neighbour, ...]


def worst_first(results: SearchResults, rule: DecisionRule) -> NDArray[np.int64]:
    """The queries [q], worst first.

    Wrong names come first, of enrolled queries and of unknowns alike, the highest score first; then refusals of
    enrolled queries, likewise; then right answers, those first that were nearest to another decision: an answer is
    known where both `best - threshold` and `best - second - margin` are at least 0, so the lesser of the two is how far
    it is from the edge. Equal ones stay in order.
    """
    group = np.array([WORST_FIRST.index(quality) for quality in answer_qualities(results, rule)])
    scores = results.scores.astype(np.float64)
    best, second = scores[:, 0], scores[:, 1]
    edge = np.minimum(best - rule.threshold, best - second - rule.margin)
    return np.lexsort((np.where(results.right(rule), np.abs(edge), -best), group))


def retrieval_grid(rows: Sequence[GridRow], heading: str) -> Image.Image:
    """Draw the rows, each one query: its photo, its caption, its nearest classes.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not rows:
        raise ValueError("a retrieval grid needs at least one query")
    first = GAP + FRAME + SIDE + 2 * GAP + WORDS  # where the neighbours start
    width = first + max(len(row.neighbours) for row in rows) * STEP + GAP
    sheet = Sheet(width, len(rows) * ROW + GAP, heading, NOTES)
    for number, row in enumerate(rows):
        upper = sheet.top + FRAME + number * ROW
        sheet.photo(GAP + FRAME, upper, row.photo, SIDE, COLOURS[row.quality])
        colours = (INK, COLOURS[row.quality], *[MUTED] * len(row.caption))
        for line, (text, colour) in enumerate(zip(row.caption, colours, strict=False)):
            sheet.write(GAP + FRAME + SIDE + GAP, upper + line * LINE, text, WORDS, colour)
        for column, neighbour in enumerate(row.neighbours):
            left = first + column * STEP
            sheet.photo(left, upper, neighbour.photo, SIDE, RIGHT if neighbour.own else PLAIN)
            sheet.write(left, upper + SIDE + FRAME + 1, neighbour.label, SIDE)
            sheet.write(left, upper + SIDE + FRAME + 1 + LINE, f"{neighbour.score:.3f}", SIDE, MUTED)
    return sheet.image
