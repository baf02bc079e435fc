from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_runtime.core.readable import percents_apart, told_apart

NUMBERS = st.floats(-2, 2)


@pytest.mark.parametrize(
    ("first", "second", "texts"),
    [
        (0.95, 0.9, ("0.950", "0.900")),
        (0.9504, 0.95, ("0.9504", "0.9500")),
        (0.9494, 0.95, ("0.949", "0.950")),
        (0.99996, 1.0, ("0.99996", "1.00000")),
        (0.95, 0.95, ("0.950", "0.950")),
        (-0.00004, 0.00004, ("-0.00004", "0.00004")),
    ],
)
def test_two_numbers_have_as_many_digits_as_tell_them_apart(
    first: float, second: float, texts: tuple[str, str]
) -> None:
    assert told_apart(first, second) == texts
    assert told_apart(second, first) == texts[::-1]


@pytest.mark.parametrize(
    ("first", "second", "texts"), [(0.04, 0.09, ("4 %", "9 %")), (0.0896, 0.09, ("8.96 %", "9.00 %"))]
)
def test_shares_read_as_per_cents(first: float, second: float, texts: tuple[str, str]) -> None:
    assert percents_apart(first, second) == texts


@pytest.mark.parametrize("write", [told_apart, percents_apart])
@given(NUMBERS, NUMBERS)
@example(0.1 + 0.2, 0.3)
@example(5e-324, 0.0)
@example(0.0, -0.0)
def test_two_numbers_read_in_their_order(
    write: Callable[[float, float], tuple[str, str]], first: float, second: float
) -> None:
    one, other = (float(text.removesuffix(" %")) for text in write(first, second))
    if write is told_apart or abs(first - second) > 1e-9:  # `float` itself rounds what was multiplied by 100
        assert (one < other, one == other) == (first < second, first == second)
    texts = write(first, second)
    assert (texts[0] == texts[1]) == (first == second)
