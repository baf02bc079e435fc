"""Two models on the same queries: differences of their figures, with 95 % intervals.

Queries of one class are alike, so whole classes are drawn with replacement, not single queries (the cluster bootstrap;
Field and Welsh, JRSS-B 2007). Pure: answers in, intervals out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.sparse import csr_array

from discern.errors import DataError
from discern.evaluation.confidence import CONFIDENCE
from discern.evaluation.retrieval import UNKNOWN


class Interval(BaseModel):
    """A difference between two models with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    difference: float
    low: float
    high: float


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
    sums, sizes = (draw_groups(len(names), resamples, seed) @ by_group).T
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


def bootstrap(
    truth: NDArray[np.int64],
    candidate: NDArray[np.int64],
    production: NDArray[np.int64],
    groups: Sequence[str],
    *,
    resamples: int,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the differences of accuracy, macro precision and macro recall, candidate minus production.

    Args:
        truth: [q] true class, or -1 for an unknown.
        candidate: [q] class that the candidate answers, or -1 for `unknown`.
        production: [q] class that production answers, or -1 for `unknown`.
        groups: q groups, the class of each query, unknowns too.
        resamples: number of draws.
        seed: of the draws.
    """
    names, group = np.unique(np.array(groups), return_inverse=True)

    def differences(times: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        first = weighted_figures(truth, candidate, group, times)
        second = weighted_figures(truth, production, group, times)
        return {name: first[name] - second[name] for name in first}

    every_group_once = np.ones((1, len(names)), dtype=np.int64)
    difference = differences(every_group_once)
    resampled = differences(draw_groups(len(names), resamples, seed))
    return {name: percentile_interval(float(difference[name][0]), resampled[name]) for name in difference}


def draw_groups(groups: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Draw as many groups as there are, with replacement; return how often each is drawn, [resamples, groups]."""
    drawn = np.random.default_rng(seed).integers(0, groups, (resamples, groups))
    return np.stack([np.bincount(draw, minlength=groups) for draw in drawn])


def percentile_interval(difference: float, resampled: NDArray[np.float64]) -> Interval:
    """Return a difference with its 95 % interval, the middle of its values in the resamples."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(difference=float(difference), low=float(low), high=float(high))


def weighted_figures(
    truth: NDArray[np.int64], answered: NDArray[np.int64], group: NDArray[np.int64], times: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Compute accuracy, macro precision and macro recall of resamples; a class drawn twice weighs twice in every mean.

    Args:
        truth: [q] true class, or -1 for an unknown.
        answered: [q] answered class, or -1 for `unknown`.
        group: [q] number of the group of each query.
        times: [r, g] how often each resample draws each group.

    Returns:
        [r] values of each figure; 0 where there is nothing to divide by.
    """
    shape = times.shape[1], int(max(truth.max(), answered.max(), 0)) + 1
    present = _table(group, truth, truth != UNKNOWN, shape)
    named = times @ _table(group, answered, answered != UNKNOWN, shape)
    hits = times @ _table(group, truth, (truth == answered) & (truth != UNKNOWN), shape)
    queries = present.sum(axis=0)
    # A class weighs as often as it is drawn; a class without queries of its own is there in every resample.
    weight = np.where(queries > 0, _ratio(times @ present, queries), 1.0)
    right = np.bincount(group, truth == answered, minlength=len(times.T))
    return {
        "accuracy": _ratio(times @ right, times @ np.bincount(group, minlength=len(times.T))),
        "precision": _ratio((weight * _ratio(hits, named)).sum(axis=1), (weight * (named > 0)).sum(axis=1)),
        "recall": _ratio(_ratio(hits, queries).sum(axis=1), (weight * (queries > 0)).sum(axis=1)),
    }


def _table(
    group: NDArray[np.int64], classes: NDArray[np.int64], chosen: NDArray[np.bool_], shape: tuple[int, int]
) -> csr_array:
    """Count the `chosen` queries of each group and class."""
    cells = group[chosen], classes[chosen]
    return csr_array((np.ones(chosen.sum(), dtype=np.int64), cells), shape=shape)


def _ratio(dividend: NDArray[Any], divisor: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(dividend, divisor, out=np.zeros(np.broadcast(dividend, divisor).shape), where=divisor != 0)
