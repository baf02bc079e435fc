"""Open-set identification at a fixed false-identification rate.

Rates after ISO/IEC 19795-1: the false-positive identification rate (FPIR) is the share of the unknowns, queries of
classes that are not enrolled, that get a name (TNIR = 1 - FPIR); the true-positive identification rate (TPIR) is the
share of the enrolled queries that get the right name (FNIR = 1 - TPIR).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import LOWEST_COSINE, DecisionRule, decide


def tpir_at_fpir(results: SearchResults, fpir: float) -> float | None:
    """Return the TPIR at the lowest threshold at which at most `fpir` of the unknowns get a name.

    The threshold is on the best score alone, without a margin, and is fitted on these very unknowns: the figure
    compares embeddings, and a rule that is fitted beforehand reaches less.

    Args:
        results: queries, unknowns among them.
        fpir: the false-identification rate allowed, above 0 and at most 1.

    Returns:
        The rate; None where there is no enrolled query, or fewer than 1 / `fpir` unknowns, too few to resolve it.

    Raises:
        ValueError: `fpir` is not above 0, or is above 1.
    """
    if not 0 < fpir <= 1:
        raise ValueError(f"a false-identification rate lies above 0 and is at most 1, not {fpir}")
    enrolled = results.enrolled
    unknowns = results.scores[~enrolled, 0]
    if not enrolled.any() or len(unknowns) == 0 or (allowed := allowed_false_positives(len(unknowns), fpir)) < 1:
        return None
    passing = decide(results.scores, DecisionRule(lowest_threshold(unknowns, allowed), 0.0, fpir))
    return float((results.retrieved & passing)[enrolled].mean())


def allowed_false_positives(unknowns: int, fpir: float) -> int:
    """Return the largest number of `unknowns` whose share is at most `fpir`; 0 where they are too few to resolve it."""
    shares = np.arange(unknowns + 1) / unknowns
    return int(np.searchsorted(shares, fpir, side="right")) - 1


def lowest_threshold(unknowns: NDArray[np.float32], allowed: int) -> float:
    """Return the lowest threshold that at most `allowed` of the scores `unknowns` [u] reach."""
    if len(unknowns) <= allowed:
        return LOWEST_COSINE
    highest_refused = np.sort(unknowns)[::-1][allowed]
    return float(np.nextafter(highest_refused, np.float32(2.0)))
