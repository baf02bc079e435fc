"""The decision: what the scores of a photo's nearest classes say.

Rules kept:
- evaluation, promotion and the device all decide with `decide` and state probabilities with `right_probability`;
- a probability never makes an answer: it may keep one back, where the rule states a least probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Outcome = Literal["match", "look_closely", "unknown"]
Reason = Literal[
    "match", "within_margin", "below_probability", "below_threshold", "outside_candidates", "unusable_photo"
]

OUTCOME_OF: Mapping[Reason, Outcome] = {
    "match": "match",
    "within_margin": "look_closely",
    "below_probability": "look_closely",
    "below_threshold": "unknown",
    "outside_candidates": "unknown",
    "unusable_photo": "unknown",
}
LOWEST_COSINE = -1.0
NO_SECOND = np.finfo(np.float64).min  # finite, as -inf - -inf is not a number


@dataclass(frozen=True)
class DecisionRule:
    """When an answer is known.

    Args:
        threshold: the least score of the best class.
        margin: the least distance from the second class's score.
        fpir: the false-identification rate that the two were fitted for.
        least_probability: the least stated probability, 0 to 1, that the best class is right; 0 is no bound.
    """

    threshold: float
    margin: float
    fpir: float
    least_probability: float = 0.0


@dataclass(frozen=True)
class Calibrator:
    """The probability that the best class is right: a logistic function of its score and margin (Platt 1999).

    log(p / (1 - p)) = score * best score + margin * (best - second score) + intercept. It holds where unknowns are
    as frequent as among the queries that it was fitted on.
    """

    score: float
    margin: float
    intercept: float


def decide(
    scores: NDArray[np.float32], rule: DecisionRule, probabilities: NDArray[np.float64] | None = None
) -> NDArray[np.bool_]:
    """Apply the decision rule.

    Args:
        scores: [q, k] of the best classes, best first; -inf where there is no such class.
        rule: the calibrated rule.
        probabilities: [q] that the best class is right, as `right_probability` states; needed where the rule has a
            least probability.

    Returns:
        [q], True where the best class is accepted. With one class there is no second to be confused with, and the
        margin does not count.

    Raises:
        ValueError: the rule has a least probability and there are no probabilities.
    """
    known: NDArray[np.bool_] = ~np.any(_unmet(scores, rule, probabilities), axis=0)
    return known


def reasons(
    scores: NDArray[np.float32], rule: DecisionRule, probabilities: NDArray[np.float64] | None = None
) -> NDArray[np.str_]:
    """Return why `decide` accepts a best class or not, [q]: the first condition of the rule that it does not meet.

    Raises:
        ValueError: as `decide`.
    """
    unmet = _unmet(scores, rule, probabilities)
    return np.select(unmet, ["below_threshold", "within_margin", "below_probability"], "match")


def _unmet(
    scores: NDArray[np.float32], rule: DecisionRule, probabilities: NDArray[np.float64] | None
) -> list[NDArray[np.bool_]]:
    """Return where threshold, margin and least probability are not met, [q] each; nothing that is not a number is."""
    if rule.least_probability > 0 and probabilities is None:
        raise ValueError("a rule with a least probability needs the probabilities of the release's calibrator")
    best, second = _best_two(scores)
    # The limits have the numbers of float32, as cosines have. The distance of two cosines is exact in float64, so that
    # a sentence can state it as it was compared.
    threshold, margin = (float(np.float32(limit)) for limit in (rule.threshold, rule.margin))
    high = (best >= threshold) & np.isfinite(best)
    apart = best - np.maximum(second, NO_SECOND) >= margin
    probable = np.ones_like(high) if probabilities is None else probabilities >= rule.least_probability
    return [~high, ~apart, ~probable]


def score_and_margin(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the two numbers that the calibrator looks at.

    Args:
        scores: [q, k] of the best classes, best first; -inf where there is no such class.

    Returns:
        [q, 2], the best score and its distance from the second; from the lowest cosine, -1, where there is none.
    """
    best, second = _best_two(scores)
    return np.stack([best, best - np.maximum(second, LOWEST_COSINE)], axis=1)


def right_probability(scores: NDArray[np.float32], calibrator: Calibrator) -> NDArray[np.float64]:
    """The probability that the best class is right, [q], of scores as for `score_and_margin`."""
    logits = score_and_margin(scores) @ [calibrator.score, calibrator.margin] + calibrator.intercept
    # By tanh, which does not overflow where exp does.
    probability: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return probability


def _best_two(scores: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the best and the second score, [q] each; -inf where there is no second class."""
    best = scores[:, 0].astype(np.float64)
    return best, scores[:, 1].astype(np.float64) if scores.shape[1] > 1 else np.full_like(best, -np.inf)
