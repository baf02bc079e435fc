"""Retrieval where classes come in families of look-alikes, such as pills of one shape and colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.retrieval import SearchResults


def family_right(results: SearchResults, family: Callable[[str], str]) -> NDArray[np.bool_]:
    """Return whether the nearest class of each query is of the right family, whatever the decision, [q].

    It is wherever that class is the right one; the others are errors among siblings. No unknown is right.

    Args:
        results: of the queries.
        family: the family of a class.
    """
    families = np.array([family(label) for label in results.labels])
    right: NDArray[np.bool_] = families[results.best_class] == families[results.truth]
    return results.enrolled & right
