"""Shares of right answers with their 95 % intervals, where the answers to like queries are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from discern.evaluation.significance import percentile_interval, resampled_sums

RESAMPLES = 10_000


def share_figures(name: str, right: ArrayLike, groups: Sequence[str]) -> dict[str, float]:
    """Return the mean of `right` as NAME, and its 95 % interval as NAME_low and NAME_high.

    The interval is of the bootstrap that draws whole groups with replacement (Field and Welsh, JRSS-B 2007): of single
    queries it would be too narrow, since those of one group are right and wrong together. One group shows no spread,
    and has no interval; without a query the mean is not a number.

    Args:
        name: of the figure.
        right: [q] 1 or 0 of each query, or the mean of that over several models.
        groups: q groups, such as the class of each query.
    """
    values = np.asarray(right, dtype=np.float64)
    if len(values) != len(groups):
        raise ValueError(f"{len(values)} answers to queries of {len(groups)} groups")
    if not len(values):
        return {name: np.nan}
    names, group = np.unique(np.array(groups), return_inverse=True)
    share = float(values.mean())
    if len(names) < 2:
        return {name: share}
    by_group = np.stack([np.bincount(group, values), np.bincount(group)], axis=1)
    sums, sizes = resampled_sums(by_group, RESAMPLES, seed=0).T
    interval = percentile_interval(share, sums / sizes)
    return {name: share, f"{name}_low": interval.low, f"{name}_high": interval.high}
