"""What an answer is worth, and the colour that says so on every picture."""

from __future__ import annotations

from typing import Literal

import numpy as np

from discern.evaluation.plots.answer_sheet import RIGHT, WRONG
from discern.evaluation.plots.sheet import Colour
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import DecisionRule, decide

AnswerQuality = Literal["wrong name", "refused", "right"]
WORST_FIRST: tuple[AnswerQuality, ...] = ("wrong name", "refused", "right")
COLOURS: dict[AnswerQuality, Colour] = {"wrong name": WRONG, "refused": (214, 140, 0), "right": RIGHT}


def answer_qualities(results: SearchResults, rule: DecisionRule) -> list[AnswerQuality]:
    """What each answer is worth: [q].

    `unknown` is the right answer to an unknown, and a refusal where the class is enrolled, whichever was nearest.
    """
    known, right = decide(results.scores, rule), results.right(rule)
    return [WORST_FIRST[place] for place in np.select([right, known], [2, 0], 1)]
