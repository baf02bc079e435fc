"""The quality of an answer, and its colour on every picture."""

from __future__ import annotations

from typing import Literal

import numpy as np

from discern.evaluation.plots.answer_sheet import RIGHT, WRONG
from discern.evaluation.plots.sheet import Colour
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import DecisionRule

AnswerQuality = Literal["wrong name", "refused", "right"]
WORST_FIRST: tuple[AnswerQuality, ...] = ("wrong name", "refused", "right")
COLOURS: dict[AnswerQuality, Colour] = {"wrong name": WRONG, "refused": (214, 140, 0), "right": RIGHT}


def answer_qualities(results: SearchResults, rule: DecisionRule) -> list[AnswerQuality]:
    """Return the quality of each answer, q of them.

    `unknown` is the right answer to an unknown, and a refusal where the class is enrolled, whichever class is nearest.
    """
    named, right = results.named(rule), results.right(rule)
    indices = np.select([right, named], [WORST_FIRST.index("right"), WORST_FIRST.index("wrong name")], 1)
    return [WORST_FIRST[index] for index in indices]
