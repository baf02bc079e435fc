from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.core.answer import Match, explain
from edge_runtime.core.decision import DecisionRule, Reason, reasons

RULE = DecisionRule(threshold=0.9, margin=0.02, fpir=0.01, least_probability=0.8)
A, B = Match("A", 0.94), Match("B", 0.93)


@pytest.mark.parametrize(
    ("reason", "matches", "says"),
    [
        ("match", (A, B), "A scores 0.940, and 0.900 is needed."),
        ("match", (Match("A", 0.90004), B), "A scores 0.90004, and 0.90000 is needed."),
        ("below_threshold", (Match("A", 0.89996),), "The best match, A, scores 0.89996, below the 0.90000 needed."),
        (
            "within_margin",
            (A, B),
            "Look closely: A or B? They score 0.940 and 0.930, a difference of 0.010; 0.020 is needed.",
        ),
        (
            "within_margin",
            (A, Match("B", 0.92001)),
            "Look closely: A or B? They score 0.940 and 0.920, a difference of 0.01999; 0.02000 is needed.",
        ),
        (
            "below_probability",
            (A, B),
            "Look closely: A or B? A is right with a probability of 79.6 %; 80.0 % is needed.",
        ),
        (
            "below_probability",
            (A,),
            "Look closely: is it A? A is right with a probability of 79.6 %; 80.0 % is needed.",
        ),
        ("outside_candidates", (A, B), "C, which is not among the candidates, scores higher than any of them."),
    ],
)
def test_each_outcome_has_its_sentence(reason: Reason, matches: tuple[Match, ...], says: str) -> None:
    assert explain(reason, matches, RULE, 0.796, "C") == says


COSINES = st.floats(-1, 1, width=32)


@given(COSINES, COSINES, st.floats(-1, 1), st.floats(0, 0.5), st.booleans())
def test_no_sentence_contradicts_what_was_decided(
    one: float, other: float, threshold: float, margin: float, on_the_limit: bool
) -> None:
    best, second = max(one, other), min(one, other)
    if on_the_limit:
        threshold, margin = float(np.nextafter(best, threshold)), float(np.nextafter(best - second, margin))
    rule = DecisionRule(threshold, margin, 0.01)
    (reason,) = reasons(np.array([[best, second]], np.float32), rule).tolist()
    numbers = [
        float(text)
        for text in re.findall(r"-?\d+\.\d+", explain(reason, (Match("A", best), Match("B", second)), rule, None, None))
    ]
    has, needed = numbers[-2:]
    assert has >= needed if reason == "match" else has < needed
