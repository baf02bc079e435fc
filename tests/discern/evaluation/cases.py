"""SearchResults written down by hand or drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from discern.evaluation.retrieval import UNKNOWN, SearchResults
from edge_runtime.core.identify import DecisionRule

ACCEPT_ALL = DecisionRule(threshold=-1.0, margin=0.0, fpir=1.0)


def results(
    truth: Sequence[int],
    best_class: Sequence[int],
    best: Sequence[float],
    second: Sequence[float] | None = None,
    *,
    classes: int = 3,
    trained: Sequence[bool] | None = None,
) -> SearchResults:
    """Results of queries, one by one; the second class scores -1 where nothing is said."""
    scores = np.stack([best, [-1.0] * len(best) if second is None else second], axis=1).astype(np.float32)
    return SearchResults(
        np.array(truth, np.int64),
        np.array(best_class, np.int64),
        scores,
        tuple(f"class {number}" for number in range(classes)),
        tuple("unknown" if number == UNKNOWN else f"class {number}" for number in truth),
        np.array([False] * len(truth) if trained is None else trained, dtype=bool),
        np.zeros(len(truth), dtype=bool),
    )


def subset(whole: SearchResults, chosen: np.ndarray) -> SearchResults:
    """The queries where `chosen` [q] is true."""
    return whole.take(chosen)


@st.composite
def drawn(draw: st.DrawFn, queries: int = 30, classes: int = 4) -> SearchResults:
    """Any results of 2 to `queries` queries, at least one enrolled and one unknown among them."""
    count = draw(st.integers(2, queries))
    truth = draw(arrays.arrays(np.int64, count, elements=st.integers(UNKNOWN, classes - 1)))
    truth[0], truth[1] = draw(st.integers(0, classes - 1)), UNKNOWN
    found = draw(arrays.arrays(np.int64, count, elements=st.integers(0, classes - 1)))
    # Few values, so that ties are common; and floats of any bits, which show rounding.
    cosine = st.one_of(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75]), st.floats(-0.984375, 1, width=32))
    pairs = draw(arrays.arrays(np.float32, (count, 2), elements=cosine))
    scores = -np.sort(-pairs, axis=1)
    return results(truth.tolist(), found.tolist(), scores[:, 0].tolist(), scores[:, 1].tolist(), classes=classes)
