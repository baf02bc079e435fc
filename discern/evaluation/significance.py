"""Two models on the same queries: differences of their figures, with 95 % intervals.

Queries of one class are alike, so whole classes are drawn with replacement, not single queries (the cluster bootstrap;
Field and Welsh, JRSS-B 2007). With few classes its intervals are too narrow: `paired_figures` has those of a promotion.
Pure: answers in, intervals out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from discern.errors import DataError
from discern.evaluation.confidence import CONFIDENCE


class Interval(BaseModel):
    """A difference between two models with its 95 % interval.

    Attributes:
        difference: first minus second.
        low: lower end of the interval.
        high: upper end of the interval.
        at_least: the difference exceeds this with 95 % certainty, one-sided; None in decisions of before.
        seen: a true difference of this size is shown, as `at_least` above 0, in 80 % of such test sets.
        groups: classes that the interval rests on.
    """

    model_config = ConfigDict(frozen=True)

    difference: float
    low: float
    high: float
    at_least: float | None = None
    seen: float | None = None
    groups: int | None = None


class Gap(BaseModel):
    """The gap between two models on the same queries, second minus first. All but the count are shares.

    Attributes:
        difference: share of right answers of the second minus the share of the first.
        low: lower end of the 95 % interval, from a bootstrap over classes.
        high: upper end of the interval.
        disagreement: share of the queries where exactly one model is right.
        mcnemar_p: two-sided p-value of McNemar's exact test. It takes the queries as independent; where the queries of
            a class are alike it is too small, and the interval is what counts.
        pairs: number of queries.
    """

    model_config = ConfigDict(frozen=True)

    difference: float
    low: float
    high: float
    disagreement: float
    mcnemar_p: float
    pairs: int


def paired_gap(
    first_right: NDArray[np.bool_],
    second_right: NDArray[np.bool_],
    groups: Sequence[str],
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> Gap:
    """Compare two models query by query; the interval draws whole groups.

    Args:
        first_right: [q] whether the first model is right.
        second_right: [q] whether the second model is right.
        groups: q groups, the class of each query.
        resamples: of the bootstrap.
        seed: of the draws.

    Raises:
        DataError: the queries are of fewer than two groups, which show no spread.
        ValueError: the three are not of one length.
    """
    from scipy.stats import binomtest  # takes a second to import, and a config is checked without it

    if not len(first_right) == len(second_right) == len(groups):
        raise ValueError(f"{len(first_right)} and {len(second_right)} answers to queries of {len(groups)} groups")
    names, group = np.unique(np.array(groups), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"A gap over {len(names)} class has no interval: compare on queries of two classes or more.")
    gained, lost = second_right & ~first_right, first_right & ~second_right
    by_group = np.stack([np.bincount(group, gained.astype(np.float64) - lost), np.bincount(group)], axis=1)
    sums, sizes = resampled_sums(by_group, resamples, seed).T
    interval = percentile_interval((gained.sum() - lost.sum()) / len(groups), sums / sizes)
    either = int(gained.sum() + lost.sum())
    return Gap(
        difference=interval.difference,
        low=interval.low,
        high=interval.high,
        disagreement=either / len(groups),
        mcnemar_p=float(binomtest(int(gained.sum()), either).pvalue) if either else 1.0,
        pairs=len(groups),
    )


def resampled_sums(by_group: NDArray[Any], resamples: int, seed: int) -> NDArray[np.float64]:
    """Draw as many groups as there are, with replacement, and add up their values; many times.

    Groups of equal values are one kind, and how often each kind is drawn is multinomial: the draws cost as much as
    there are kinds, not groups.

    Args:
        by_group: [groups, v] values of each group.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        [resamples, v] sums.
    """
    kinds, counts = np.unique(by_group, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), size=resamples)
    sums: NDArray[np.float64] = drawn.astype(np.float64) @ kinds
    return sums


def percentile_interval(difference: float, resampled: NDArray[np.float64]) -> Interval:
    """Return a difference with its 95 % interval, the middle of its values in the resamples."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(difference=float(difference), low=float(low), high=float(high))
