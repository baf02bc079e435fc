"""Two models on the same queries: the gap between them, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.stats import binomtest

from discern.errors import DataError
from discern.evaluation.gates import draw_groups, percentile_interval


class Gap(BaseModel):
    """The gap between two models, second minus first. All but the count are shares.

    Attributes:
        difference: share of right answers of the second minus that of the first.
        low: lower end of the 95 % interval, from a bootstrap over classes.
        high: its upper end.
        disagreement: share of the pairs where exactly one of the two is right.
        mcnemar_p: two-sided p-value of McNemar's exact test. It takes the queries as independent; where those of one
            class are alike it is too small, and the interval is what counts.
        pairs: queries that both answered.
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
    """Compare two models query by query, drawing whole groups with replacement (Field and Welsh, JRSS-B 2007).

    Args:
        first_right: [q] whether the first model is right.
        second_right: [q] the same of the second.
        groups: the class of each query.
        resamples: of the bootstrap.
        seed: of the draws.

    Raises:
        DataError: the queries are of fewer than two groups, which have no spread to be seen.
        ValueError: the three are not of one length.
    """
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
