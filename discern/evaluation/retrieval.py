"""Search queries of known truth in a gallery, with the device's own search and decision rule.

Search, decision and preprocessing are `edge_runtime`'s: what is evaluated is what ships.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.errors import DataError
from discern.evaluation.gallery import Gallery, Vectors
from edge_runtime.core.identify import DecisionRule, decide
from edge_runtime.core.index import GalleryIndex

UNKNOWN = -1  # the class number of an unknown, and of the answer `unknown`


@dataclass(frozen=True)
class SearchResults:
    """Queries and the classes nearest to them, before any decision.

    Attributes:
        truth: [q] number of the true class in `labels`, or -1 for an unknown.
        best_class: [q] number of the best class.
        scores: [q, 2] cosines of the best and the second class; -inf where there is no second.
        labels: the enrolled classes.
        query_labels: q labels of the true classes, enrolled or not.
        trained: [q] whether the model trained on the query's class.
    """

    truth: NDArray[np.int64]
    best_class: NDArray[np.int64]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    query_labels: tuple[str, ...]
    trained: NDArray[np.bool_]

    @property
    def enrolled(self) -> NDArray[np.bool_]:
        """[q] whether the true class is in the gallery; the rest are unknowns."""
        return self.truth != UNKNOWN

    @property
    def retrieved(self) -> NDArray[np.bool_]:
        """[q] whether the best class is the true one."""
        return self.enrolled & (self.best_class == self.truth)

    def answers(self, rule: DecisionRule) -> NDArray[np.int64]:
        """[q] number of the answered class, or -1 for `unknown`."""
        return np.where(decide(self.scores, rule), self.best_class, UNKNOWN)

    def right(self, rule: DecisionRule) -> NDArray[np.bool_]:
        """[q] whether the answer is right; `unknown` is the right answer to an unknown."""
        return self.answers(rule) == self.truth


@dataclass(frozen=True)
class Queries:
    """Embedded queries of one split.

    Attributes:
        vectors: [q, d] float32, unit length.
        labels: q labels of the true classes.
        trained: classes that the model trained on.
    """

    vectors: Vectors
    labels: Sequence[str]
    trained: frozenset[str]

    def search(self, gallery: Gallery) -> SearchResults:
        """Search these queries in `gallery`, as `search` does."""
        return search(gallery, self.vectors, self.labels, self.trained)


def search(gallery: Gallery, queries: Vectors, labels: Sequence[str], trained: Collection[str]) -> SearchResults:
    """Search queries in a gallery.

    Args:
        gallery: the enrolled classes.
        queries: [q, d] unit length.
        labels: q labels of the true classes.
        trained: classes that the model trained on.

    Raises:
        DataError: there is no query.
    """
    if len(queries) == 0:
        raise DataError("There is no query to evaluate: the split holds gallery photos alone, give it more photos.")
    index = GalleryIndex.build(gallery.vectors, gallery.class_ids)
    return search_index(index, gallery.labels, queries, labels, trained)


def search_index(
    index: GalleryIndex, enrolled: tuple[str, ...], queries: Vectors, labels: Sequence[str], trained: Collection[str]
) -> SearchResults:
    """Search queries as `search` does, in an index whose class numbers are positions in `enrolled`."""
    classes, scores = index.best_classes(queries, 2)
    number_of = {label: number for number, label in enumerate(enrolled)}
    trained_labels = frozenset(trained)
    return SearchResults(
        truth=np.array([number_of.get(label, UNKNOWN) for label in labels], dtype=np.int64),
        best_class=classes[:, 0],
        scores=scores,
        labels=enrolled,
        query_labels=tuple(labels),
        trained=np.array([label in trained_labels for label in labels], dtype=bool),
    )
