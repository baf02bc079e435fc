"""Find the classes that lose by another model, by a test that is corrected for the number of classes.

The exact sign test of a class (McNemar's, of its queries that exactly one model answers right), one-sided, with Holm's
correction. Of a hundred equal pairs of models, five or fewer show a class that loses. Pure: answers in, classes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05


@dataclass(frozen=True)
class ClassLosses:
    """What a test set shows of single classes.

    Attributes:
        losing: classes that lose, with the share of their queries that they lose on balance, most first.
        classes: all classes.
        tested: classes with enough queries to show a loss.
        least_queries: so many queries of a class, all lost and none won, show that it loses; a smaller class shows
            nothing.
    """

    losing: tuple[tuple[str, float], ...]
    classes: int
    tested: int
    least_queries: int


def find_losing_classes(
    candidate_right: NDArray[np.bool_], production_right: NDArray[np.bool_], groups: Sequence[str]
) -> ClassLosses:
    """Return the classes that the candidate answers worse than production does.

    Args:
        candidate_right: [q] whether the candidate is right.
        production_right: [q] whether production is right.
        groups: q classes.
    """
    from scipy.stats import binom  # takes a second to import, and a config is checked without it

    labels, group, queries = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    lost = np.bincount(group[production_right & ~candidate_right], minlength=len(labels))
    won = np.bincount(group[candidate_right & ~production_right], minlength=len(labels))
    least = _least_queries(queries)
    tested = np.flatnonzero(queries >= least)
    p = binom.sf(lost - 1, lost + won, 0.5)[tested]
    shares = ((lost - won) / queries)[tested]
    shown = [tested_class for tested_class in _holm(p) if shares[tested_class] > 0]
    losing = sorted(((str(labels[tested[one]]), float(shares[one])) for one in shown), key=lambda pair: -pair[1])
    return ClassLosses(tuple(losing), len(labels), len(tested), least)


def _least_queries(queries: NDArray[np.int64]) -> int:
    """Return how many queries a class needs; classes that can show nothing count for no correction (Tarone, 1990)."""
    tested = np.arange(1, len(queries) + 1)
    least = np.ceil(np.log2(tested / LEVEL)).astype(int)  # n losses and no win have a p of 2 ** -n
    enough = len(queries) - np.searchsorted(np.sort(queries), least)
    return int(least[np.argmax(enough <= tested)])


def _holm(p: NDArray[np.float64]) -> list[int]:
    """Return the numbers of the hypotheses that are rejected (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = np.argsort(p, kind="stable")
    kept = p[order] > LEVEL / np.arange(len(p), 0, -1)
    return order[: int(kept.argmax()) if kept.any() else len(p)].tolist()
