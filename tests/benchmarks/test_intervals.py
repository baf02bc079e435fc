"""Shares and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.intervals import share_figures


def test_queries_of_one_group_are_right_and_wrong_together() -> None:
    right = [1] * 10 + [0] * 10
    of_two = share_figures("tpir", right, ["a"] * 10 + ["b"] * 10)
    assert of_two == {"tpir": 0.5, "tpir_low": 0.0, "tpir_high": 1.0}
    apart = share_figures("tpir", right, [str(number) for number in range(20)])
    assert apart["tpir"] == 0.5
    assert 0.25 <= apart["tpir_low"] <= 0.35
    assert 0.65 <= apart["tpir_high"] <= 0.75


def test_a_share_of_several_models_is_their_mean() -> None:
    assert share_figures("x", [0.5, 0.5, 0.5, 0.5], ["a", "a", "b", "b"]) == {"x": 0.5, "x_low": 0.5, "x_high": 0.5}


def test_large_groups_weigh_more() -> None:
    figures = share_figures("x", [1, 1, 1, 0], ["a", "a", "a", "b"])
    assert figures["x"] == 0.75
    assert (figures["x_low"], figures["x_high"]) == (0.0, 1.0)


def test_one_group_has_no_interval() -> None:
    assert share_figures("x", [1, 0], ["a", "a"]) == {"x": 0.5}


def test_a_share_of_nothing_is_not_a_number() -> None:
    (value,) = share_figures("x", [], []).values()
    assert np.isnan(value)


def test_queries_without_a_group_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 answers to queries of 1 groups"):
        share_figures("x", [1, 0], ["a"])
