"""The reliability of stated probabilities: of the answers that are called 80 % sure, 80 % should be right.

It is measured on queries that the probabilities are not fitted on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from discern.evaluation.confidence import Rate, exact_rate
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import Calibrator, right_probability

BINS = 10


class ReliabilityBin(BaseModel):
    """The queries whose probability lies above `low` and not above `high`; the first bin holds 0 as well.

    Attributes:
        predicted: their mean probability; None where there is no query.
        observed: the share of them that is right; None where there is no query.
    """

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    queries: int
    predicted: float | None
    observed: Rate | None


class Reliability(BaseModel):
    """The distance between stated probabilities and observed shares.

    Attributes:
        bins: of equal width, ascending.
        expected_calibration_error: mean over queries of the distance between predicted and observed in their bin
            (Naeini et al., AAAI 2015).
        brier_score: mean squared distance between the probability and the outcome, 1 or 0 (Brier 1950).
    """

    model_config = ConfigDict(frozen=True)

    bins: tuple[ReliabilityBin, ...]
    expected_calibration_error: float
    brier_score: float


def reliability_of(results: SearchResults, calibrator: Calibrator | None) -> Reliability | None:
    """Measure the reliability of `calibrator` on `results`; None where there is no calibrator."""
    if calibrator is None:
        return None
    return reliability(right_probability(results.scores, calibrator), results.retrieved)


def reliability(probability: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS) -> Reliability | None:
    """Compare stated probabilities with outcomes; None where there is no query.

    Args:
        probability: [q] between 0 and 1.
        right: [q] whether the answer is right.
        bins: number of bins, of equal width.

    Raises:
        ValueError: a probability lies outside 0 to 1.
    """
    if not len(right):
        return None
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("a probability must lie between 0 and 1")
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.searchsorted(edges[1:-1], probability)
    queries = np.bincount(bin_of, minlength=bins)
    stated = np.bincount(bin_of, probability, minlength=bins)  # sums, as the next
    hits = np.bincount(bin_of, right, minlength=bins)
    return Reliability(
        bins=tuple(
            ReliabilityBin(
                low=edges[number],
                high=edges[number + 1],
                queries=queries[number],
                predicted=stated[number] / queries[number] if queries[number] else None,
                observed=exact_rate(int(hits[number]), int(queries[number])),
            )
            for number in range(bins)
        ),
        expected_calibration_error=float(np.abs(stated - hits).sum() / len(right)),
        brier_score=float(((probability - right) ** 2).mean()),
    )
