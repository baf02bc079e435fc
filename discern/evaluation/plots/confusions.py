"""The pairs of classes that are taken for each other, as a table and as a picture.

Both directions of a pair are counted together: that two things look alike is a fact about both. The table keeps each
direction's share of it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from discern.evaluation.plots.answer_sheet import GAP, INK, MUTED, WRONG
from discern.evaluation.plots.sheet import FRAME, LINE, Colour, Sheet
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.images import Pixels

SIDE = 80  # pixels, of a photo
WORDS = 290  # pixels, for the text beside the two
COLUMNS = 2
PHOTO = SIDE + 2 * FRAME + GAP // 2  # pixels from one photo to the next
ROW = SIDE + 2 * FRAME + GAP
NOTES = ("Both directions together, the most wrong names first. Nearest: that or answered unknown.",)


class ConfusionPair(BaseModel):
    """Two classes, one of which was taken for the other.

    Attributes:
        first: of two enrolled classes the first by name; or an unknown's class.
        second: an enrolled class.
        unknown: whether nobody enrolled `first`, so that nothing can be taken for it.
        named: queries of either that were given the other's name.
        nearest: queries of either that were nearest to the other, whatever the decision.
        first_named_second: of `named`, the queries of `first`; the next three likewise.
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
    """Count which classes are taken for each other: most wrong names first, then most that were merely nearest.

    An unknown is always nearest to something, so its class is listed only with classes whose name it was given.
    """
    wrong = ~results.retrieved
    known = results.answers(rule) == results.best_class
    nearest, named = (_directions(results, np.flatnonzero(chosen)) for chosen in (wrong, wrong & known))
    queries, labels = Counter(results.query_labels), frozenset(results.labels)
    pairs = []
    for first, second in {_pair(truth, other, labels) for truth, other in nearest}:
        there, back = (first, second), (second, first)
        if first not in labels and not named[there]:
            continue
        pairs.append(
            ConfusionPair(
                first=first,
                second=second,
                unknown=first not in labels,
                named=named[there] + named[back],
                nearest=nearest[there] + nearest[back],
                first_named_second=named[there],
                second_named_first=named[back],
                first_nearest_second=nearest[there],
                second_nearest_first=nearest[back],
                first_queries=queries[first],
                second_queries=queries[second],
            )
        )
    return ConfusionTable(
        pairs=tuple(sorted(pairs, key=lambda pair: (-pair.named, -pair.nearest, pair.first, pair.second)))
    )


def confusion_picture(pairs: Sequence[ConfusionPair], photo_of: Callable[[str], Pixels], heading: str) -> Image.Image:
    """Draw the pairs, each with a photo of both and the counts.

    Args:
        pairs: what is drawn, in this order, line by line.
        photo_of: a photo of a class, [H, W, 3] uint8.
        heading: the first line.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not pairs:
        raise ValueError("a picture of confusions needs at least one pair")
    columns = min(COLUMNS, len(pairs))
    width = 2 * PHOTO + WORDS + 2 * GAP
    sheet = Sheet(columns * width + GAP, -(-len(pairs) // columns) * ROW + GAP, heading, NOTES)
    for number, pair in enumerate(pairs):
        left = GAP + FRAME + number % columns * width
        upper = sheet.top + FRAME + number // columns * ROW
        for place, label in enumerate((pair.first, pair.second)):
            sheet.photo(left + place * PHOTO, upper, photo_of(label), SIDE, WRONG if pair.named else MUTED)
        beside = left + 2 * PHOTO + GAP // 2
        for line, (text, colour) in enumerate(_words(pair)):
            sheet.write(beside, upper + line * LINE, text, WORDS, colour)
    return sheet.image


def _words(pair: ConfusionPair) -> list[tuple[str, Colour]]:
    first = f"{pair.first} (unknown)" if pair.unknown else pair.first
    there = _counts(pair.first_named_second, pair.first_nearest_second, pair.first_queries)
    back = _counts(pair.second_named_first, pair.second_nearest_first, pair.second_queries)
    words = [(first, INK), (there, MUTED), (pair.second, INK)]
    return words if pair.unknown else [*words, (back, MUTED)]


def _counts(named: int, nearest: int, queries: int) -> str:
    if queries == 0:
        return "was not asked about"
    return f"{named} of {queries} given the other's name, {nearest} nearest to it"


def _directions(results: SearchResults, rows: np.ndarray) -> Counter[tuple[str, str]]:
    """How often each true class went with each found class, among `rows`."""
    return Counter((results.query_labels[row], results.labels[results.best_class[row]]) for row in rows)


def _pair(truth: str, other: str, labels: frozenset[str]) -> tuple[str, str]:
    return (truth, other) if truth not in labels or truth < other else (other, truth)
