"""Retrieval where classes come in families of look-alikes, such as pills of one shape and colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from discern.evaluation.retrieval import SearchResults


def family_recall_at_1(results: SearchResults, family: Callable[[str], str]) -> float | None:
    """Return the share of the enrolled queries whose nearest class is of the right family, whatever the decision.

    It is never below recall@1; the difference is errors among siblings.

    Args:
        results: of the queries.
        family: the family of a class.

    Returns:
        The share; None where there is no enrolled query.
    """
    enrolled = results.enrolled
    if not enrolled.any():
        return None
    families = np.array([family(label) for label in results.labels])
    return float((families[results.best_class] == families[results.truth])[enrolled].mean())
