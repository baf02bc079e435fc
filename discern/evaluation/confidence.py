"""Shares of counted queries with 95 % intervals, over queries or over classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

CONFIDENCE = 0.95


class Rate(BaseModel):
    """A share between 0 and 1 with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    queries: int


def exact_rate(hits: int, queries: int) -> Rate | None:
    """Return the share with its exact interval (Clopper and Pearson, Biometrika 1934); None where there is no query.

    Exact for queries that are independent. Those of one class are alike: `class_rate` is for them.

    Raises:
        ValueError: there are more hits than queries, or either is negative.
    """
    from scipy.stats import binomtest  # takes a second to import, and a config is checked without it

    if queries == 0:
        return None
    interval = binomtest(hits, queries).proportion_ci(CONFIDENCE, method="exact")
    return Rate(value=hits / queries, low=float(interval.low), high=float(interval.high), queries=queries)


def class_rate(hits: NDArray[np.bool_], classes: Sequence[str]) -> Rate | None:
    """Return a share whose interval takes whole classes as drawn, not single queries; None where there is no query.

    Clopper and Pearson's interval of as many independent queries as tell as much as these (Korn and Graubard, Survey
    Methodology 24, 1998). Where all queries are hits, or none, their likeness cannot be seen: each class then counts as
    one query.

    Args:
        hits: [q] whether each query counts.
        classes: q classes.
    """
    from scipy.stats import beta, t  # takes a second to import, and a config is checked without it

    if len(hits) == 0:
        return None
    names, group = np.unique(np.array(classes), return_inverse=True)
    share, count = float(hits.mean()), len(names)
    if count == 1:
        return Rate(value=share, low=0.0, high=1.0, queries=len(hits))
    excess = np.bincount(group, hits - share)
    variance = float((excess**2).sum()) * count / (count - 1) / len(hits) ** 2
    independent = min(len(hits), share * (1 - share) / variance) if variance > 0 else count
    tail = (1 - CONFIDENCE) / 2
    independent *= (t.ppf(tail, len(hits) - 1) / t.ppf(tail, count - 1)) ** 2
    right, wrong = share * independent, (1 - share) * independent
    low = beta.ppf(tail, right, wrong + 1) if right > 0 else 0.0
    high = beta.ppf(1 - tail, right + 1, wrong) if wrong > 0 else 1.0
    return Rate(value=share, low=float(low), high=float(high), queries=len(hits))
