"""Two releases with different catalogues on the same queries: what both were asked alike. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.retrieval import UNKNOWN, SearchResults


@dataclass(frozen=True)
class CommonQueries:
    """Queries that several releases were asked alike: of a class that all enrol, or of none.

    Attributes:
        rows: [c] their numbers among all queries.
        results: of each release, for these queries; classes have one numbering, that of the classes of any of them.
        all_of_first: of the first release, for all queries.
        gained: [q] whether a query is of a class that the first release enrols and another one does not.
        lost: [q] whether a query is of a class that another release enrols and the first one does not.
    """

    rows: NDArray[np.int64]
    results: tuple[SearchResults, ...]
    all_of_first: SearchResults
    gained: NDArray[np.bool_]
    lost: NDArray[np.bool_]


def common_queries(results: Sequence[SearchResults]) -> CommonQueries:
    """Number the classes of several releases alike, and keep the queries that all were asked alike.

    Args:
        results: of the same queries, one a release; the first one is compared with the others.

    Raises:
        ValueError: the queries differ.
    """
    first = results[0]
    if any(other.query_labels != first.query_labels for other in results):
        raise ValueError("the releases were asked different queries")
    labels = tuple(sorted({label for one in results for label in one.labels}))
    numbered = [one.numbered_by(labels) for one in results]
    truth = np.stack([one.truth for one in numbered])
    known = truth != UNKNOWN
    rows = np.flatnonzero((truth == truth[0]).all(axis=0))
    return CommonQueries(
        rows=rows,
        results=tuple(one.take(rows) for one in numbered),
        all_of_first=numbered[0],
        gained=known[0] & ~known.all(axis=0),
        lost=~known[0] & known.any(axis=0),
    )
