"""Shares of counted queries with exact intervals."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

CONFIDENCE = 0.95


class Rate(BaseModel):
    """A share between 0 and 1 with its exact 95 % interval (Clopper and Pearson, Biometrika 1934).

    Exact for queries that are independent. Those of one class are alike, so the truth is less certain than it says: of
    eight rules fitted on 50 Omniglot unknowns with 10 queries each, four had a FPIR outside it on 50 others.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    queries: int


def exact_rate(hits: int, queries: int) -> Rate | None:
    """The share `hits` of `queries`; None where there is no query.

    Raises:
        ValueError: there are more hits than queries, or either is negative.
    """
    from scipy.stats import binomtest  # takes a second to import, and a config is checked without it

    if queries == 0:
        return None
    interval = binomtest(hits, queries).proportion_ci(CONFIDENCE, method="exact")
    return Rate(value=hits / queries, low=float(interval.low), high=float(interval.high), queries=queries)
