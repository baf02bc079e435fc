"""The pairs of classes that are taken for each other, as a table and as a picture.

Both directions of a pair are counted together, since looking alike is a fact about both classes. The table keeps the
count of each direction.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from discern.evaluation.plots.answer_sheet import GAP, INK, MUTED, WRONG
from discern.evaluation.plots.sheet import FRAME, LINE, Colour, Sheet
from discern.evaluation.retrieval import UNKNOWN, SearchResults
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.images import Pixels

SIDE = 80  # pixels, of a photo
TEXT_WIDTH = 290  # pixels, for the text beside the two
COLUMNS = 2
PHOTO = SIDE + 2 * FRAME + GAP // 2  # pixels from one photo to the next
ROW = SIDE + 2 * FRAME + GAP
NOTES = ("Both directions together, the most wrong names first. Nearest: whatever the decision.",)


class ConfusionPair(BaseModel):
    """Two classes that are taken for each other, with counts of queries.

    Attributes:
        first: of two enrolled classes the first by name; or the class of an unknown.
        second: an enrolled class.
        unknown: whether `first` is not enrolled, so that nothing can be taken for it.
        named: wrong names, both directions together.
        nearest: wrong nearest classes, both directions together, whatever the decision.
        first_named_second: queries of `first` that get the name of `second`.
        second_named_first: queries of `second` that get the name of `first`.
        first_nearest_second: queries of `first` whose nearest class is `second`.
        second_nearest_first: queries of `second` whose nearest class is `first`.
        first_queries: all queries of `first`.
        second_queries: all queries of `second`.
    """

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    unknown: bool
    named: int
    nearest: int
    first_named_second: int
    second_named_first: int
    first_nearest_second: int
    second_nearest_first: int
    first_queries: int
    second_queries: int


class ConfusionTable(BaseModel):
    """Every pair, worst first."""

    model_config = ConfigDict(frozen=True)

    pairs: tuple[ConfusionPair, ...]

    def csv(self) -> str:
        """The table as CSV, with a header."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(ConfusionPair.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(pair.model_dump() for pair in self.pairs)
        return text.getvalue()


def confusion_pairs(results: SearchResults, rule: DecisionRule) -> ConfusionTable:
    """Count the classes that are taken for each other: most wrong names first, then most wrong nearest classes.

    An unknown always has some nearest class, so its class is listed only with the classes whose name it gets.
    """
    named = results.answers(rule) != UNKNOWN
    wrong, enrolled = ~results.retrieved, results.enrolled
    pairs = [
        *_pairs(results, wrong & enrolled, wrong & enrolled & named, unknown=False),
        *_pairs(results, ~enrolled & named, ~enrolled & named, unknown=True),
    ]
    pairs.sort(key=lambda pair: (-pair.named, -pair.nearest, pair.first, pair.second, pair.unknown))
    return ConfusionTable(pairs=tuple(pairs))


def _pairs(
    results: SearchResults, nearest_wrong: NDArray[np.bool_], named_wrong: NDArray[np.bool_], *, unknown: bool
) -> list[ConfusionPair]:
    """Return the pairs among enrolled queries, or among unknowns, which nothing can be taken for."""
    nearest, named = _directions(results, nearest_wrong), _directions(results, named_wrong)
    asked, enrolled = np.array(results.query_labels), results.enrolled
    first_queries = Counter(asked[enrolled != unknown].tolist())
    second_queries = Counter(asked[enrolled].tolist())
    pairs = {(first, second) if unknown or first < second else (second, first) for first, second in nearest}
    nothing: Counter[tuple[str, str]] = Counter()
    back_named, back_nearest = (nothing, nothing) if unknown else (named, nearest)
    return [
        ConfusionPair(
            first=first,
            second=second,
            unknown=unknown,
            named=named[first, second] + back_named[second, first],
            nearest=nearest[first, second] + back_nearest[second, first],
            first_named_second=named[first, second],
            second_named_first=back_named[second, first],
            first_nearest_second=nearest[first, second],
            second_nearest_first=back_nearest[second, first],
            first_queries=first_queries[first],
            second_queries=second_queries[second],
        )
        for first, second in pairs
    ]


def confusion_picture(pairs: Sequence[ConfusionPair], photo_of: Callable[[str], Pixels], heading: str) -> Image.Image:
    """Draw the pairs, each with a photo of both and the counts.

    Args:
        pairs: drawn in this order, line by line.
        photo_of: a photo of a class, [H, W, 3] uint8.
        heading: the first line.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not pairs:
        raise ValueError("a picture of confusions needs at least one pair")
    columns = min(COLUMNS, len(pairs))
    width = 2 * PHOTO + TEXT_WIDTH + 2 * GAP
    sheet = Sheet(columns * width + GAP, -(-len(pairs) // columns) * ROW + GAP, heading, NOTES)
    for number, pair in enumerate(pairs):
        left = GAP + FRAME + number % columns * width
        upper = sheet.top + FRAME + number // columns * ROW
        frame = WRONG if pair.named else MUTED
        sheet.photo(left, upper, photo_of(pair.first), SIDE, frame)
        sheet.photo(left + PHOTO, upper, photo_of(pair.second), SIDE, frame)
        beside = left + 2 * PHOTO + GAP // 2
        for line, (text, colour) in enumerate(_caption(pair)):
            sheet.write(beside, upper + line * LINE, text, TEXT_WIDTH, colour)
    return sheet.image


def _caption(pair: ConfusionPair) -> list[tuple[str, Colour]]:
    first = f"{pair.first} (unknown)" if pair.unknown else pair.first
    forth = _counts(pair.first_named_second, pair.first_nearest_second, pair.first_queries)
    lines = [(first, INK), (forth, MUTED), (pair.second, INK)]
    if not pair.unknown:
        lines.append((_counts(pair.second_named_first, pair.second_nearest_first, pair.second_queries), MUTED))
    return lines


def _counts(named: int, nearest: int, queries: int) -> str:
    if queries == 0:
        return "no query"
    return f"{named} of {queries} get the other's name; nearest to it: {nearest}"


def _directions(results: SearchResults, chosen: NDArray[np.bool_]) -> Counter[tuple[str, str]]:
    """Count the pairs of true and best class among the `chosen` queries [q]."""
    rows = np.flatnonzero(chosen)
    return Counter((results.query_labels[row], results.labels[results.best_class[row]]) for row in rows)
