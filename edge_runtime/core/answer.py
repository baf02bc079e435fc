"""The answer to a photo, with one of three outcomes, and the sentence that says why.

Rules kept:
- the outcome follows from the reason, and only a `match` has a label;
- no sentence says that a number is below one that reads the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_runtime.core.decision import OUTCOME_OF, DecisionRule, Outcome, Reason
from edge_runtime.core.readable import percents_apart, told_apart


@dataclass(frozen=True)
class Match:
    """A class and its score: the cosine of its best gallery item, less its offset."""

    label: str
    score: float


@dataclass(frozen=True)
class Answer:
    """The identification of one thing: a whole photo, or what is inside a box of it.

    Attributes:
        score: of the best class.
        margin: the distance from the second best class; from the lowest cosine, -1, where there is none.
        matches: the best classes, best first; the first two are those to look at where the outcome is `look_closely`.
        reason: why it has its outcome, for programs.
        release: id of the release that answered.
        explanation: why it has its outcome, for people.
        probability: that the best class is right; None where the release has no calibrator, where a class outside the
            candidates scores higher, or where the photo cannot be used.
    """

    score: float
    margin: float
    matches: tuple[Match, ...]
    reason: Reason
    release: str
    explanation: str = ""
    probability: float | None = None

    @property
    def outcome(self) -> Outcome:
        """`match`: the best class is accepted; `look_closely`: it is likely, not sure enough; `unknown`: neither."""
        return OUTCOME_OF[self.reason]

    @property
    def known(self) -> bool:
        """True where the decision rule accepts the best class."""
        return self.outcome == "match"

    @property
    def label(self) -> str | None:
        """The label of the best class where it is accepted, else None."""
        return self.matches[0].label if self.known else None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {"outcome": self.outcome, "known": self.known, "label": self.label, **asdict(self)}


def explain(
    reason: Reason, matches: Sequence[Match], rule: DecisionRule, probability: float | None, outsider: str | None
) -> str:
    """Say why an answer has its outcome, in one or two sentences.

    Args:
        reason: any but `unusable_photo`.
        matches: the best classes, best first.
        rule: what decided.
        probability: that the best class is right; stated where it decided.
        outsider: the class outside the candidates that scores higher; stated where it decided.
    """
    best = matches[0]
    if reason == "outside_candidates":
        return f"{outsider}, which is not among the candidates, scores higher than any of them."
    if reason == "within_margin":
        return _look_closely(matches) + _too_near(best, matches[1], rule)
    if reason == "below_probability":
        stated, needed = percents_apart(probability or 0.0, rule.least_probability)
        return _look_closely(matches) + f"{best.label} is right with a probability of {stated}; {needed} is needed."
    score, needed = told_apart(best.score, _compared(rule.threshold))
    if reason == "below_threshold":
        return f"The best match, {best.label}, scores {score}, below the {needed} needed."
    return f"{best.label} scores {score}, and {needed} is needed."


def _look_closely(matches: Sequence[Match]) -> str:
    if len(matches) == 1:
        return f"Look closely: is it {matches[0].label}? "
    return f"Look closely: {matches[0].label} or {matches[1].label}? "


def _too_near(best: Match, second: Match, rule: DecisionRule) -> str:
    higher, lower = told_apart(best.score, second.score)
    distance, needed = told_apart(best.score - second.score, _compared(rule.margin))
    return f"They score {higher} and {lower}, a difference of {distance}; {needed} is needed."


def _compared(limit: float) -> float:
    """Return a limit of the rule as `decide` compares it."""
    return float(np.float32(limit))
