from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from discern.evaluation.confidence import exact_rate


def test_bounds_that_can_be_worked_by_hand() -> None:
    # Of none in n the upper bound is 1 - (alpha / 2) ** (1 / n); of all in n the lower one is its mirror image.
    none = exact_rate(0, 20)
    assert none is not None
    assert (none.value, none.low, none.queries) == (0.0, 0.0, 20)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 20))
    every = exact_rate(20, 20)
    assert every is not None
    assert (every.value, every.high) == (1.0, 1.0)
    assert every.low == pytest.approx(0.025 ** (1 / 20))


def test_the_textbooks_interval() -> None:
    rate = exact_rate(10, 100)
    assert rate is not None
    assert (rate.value, rate.low, rate.high) == pytest.approx((0.1, 0.0490, 0.1762), abs=1e-4)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_bounds_are_quantiles_of_beta_distributions(queries: int, share: float) -> None:
    hits = round(share * queries)
    rate = exact_rate(hits, queries)
    assert rate is not None
    assert rate.low <= rate.value <= rate.high
    assert rate.low == pytest.approx(beta.ppf(0.025, hits, queries - hits + 1) if hits else 0.0)
    assert rate.high == pytest.approx(beta.ppf(0.975, hits + 1, queries - hits) if hits < queries else 1.0)


def test_of_no_query_there_is_no_rate() -> None:
    assert exact_rate(0, 0) is None


def test_more_hits_than_queries_is_an_error() -> None:
    with pytest.raises(ValueError, match="k"):
        exact_rate(3, 2)
