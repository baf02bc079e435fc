"""Retrieval where classes come in families of look-alikes, such as pills of one shape and colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from discern.evaluation.retrieval import Outcomes


def family_recall_at_1(outcomes: Outcomes, family: Callable[[str], str]) -> float | None:
    """Share of the enrolled queries whose nearest class is of the right family, whatever the decision.

    It is never below recall@1; what lies between the two are errors among siblings.

    Args:
        outcomes: queries and what was found.
        family: the family of a class.

    Returns:
        The share; None where there is no enrolled query.
    """
    enrolled = outcomes.enrolled
    if not enrolled.any():
        return None
    families = np.array([family(label) for label in outcomes.labels])
    return float((families[outcomes.found] == families[outcomes.truth])[enrolled].mean())
