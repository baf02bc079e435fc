"""What the device's search and decision rule make of queries whose truth is known.

The search, the decision and the preprocessing are `edge_runtime`'s: what is evaluated is what ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.errors import DataError
from discern.evaluation.gallery import Gallery
from edge_runtime.core.identify import DecisionRule, decide
from edge_runtime.core.index import GalleryIndex

UNKNOWN = -1  # a class that is not enrolled, and the answer that says so


@dataclass(frozen=True)
class Outcomes:
    """Queries and what was found, before any decision.

    Attributes:
        truth: [q] position of the true class in `labels`, or -1 for an unknown.
        found: [q] position of the best class.
        scores: [q, 2] cosines of the best and the second class; -inf where there is no second.
        labels: the enrolled classes.
        names: the true class of each query, enrolled or not.
        trained: [q] whether the model trained on the query's class.
    """

    truth: NDArray[np.int64]
    found: NDArray[np.int64]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    trained: NDArray[np.bool_]

    @property
    def enrolled(self) -> NDArray[np.bool_]:
        """[q] whether the true class is in the gallery; the others are unknowns."""
        return self.truth != UNKNOWN

    @property
    def retrieved(self) -> NDArray[np.bool_]:
        """[q] whether the best class is the true one."""
        return self.enrolled & (self.found == self.truth)

    def answers(self, rule: DecisionRule) -> NDArray[np.int64]:
        """[q] the answered class, or -1 for `unknown`."""
        return np.where(decide(self.scores, rule), self.found, UNKNOWN)

    def right(self, rule: DecisionRule) -> NDArray[np.bool_]:
        """[q] whether the answer is right; `unknown` is the right answer to an unknown."""
        return self.answers(rule) == self.truth

    def subset(self, chosen: NDArray[np.bool_]) -> Outcomes:
        """The queries where `chosen` [q] is true."""
        names = tuple(name for name, keep in zip(self.names, chosen, strict=True) if keep)
        return Outcomes(
            self.truth[chosen], self.found[chosen], self.scores[chosen], self.labels, names, self.trained[chosen]
        )


def search(
    gallery: Gallery, queries: NDArray[np.float32], names: Sequence[str], trained: Sequence[str] | frozenset[str]
) -> Outcomes:
    """Search `queries` [q, d] with true classes `names` in the gallery.

    Args:
        gallery: what is enrolled.
        queries: unit length.
        names: q class names.
        trained: classes that the model trained on.

    Raises:
        DataError: there is no query.
    """
    if len(queries) == 0:
        raise DataError("There is no query to evaluate: the split holds gallery photos alone, give it more photos.")
    return search_index(GalleryIndex.build(gallery.vectors, gallery.class_ids), gallery.labels, queries, names, trained)


def search_index(
    index: GalleryIndex,
    labels: tuple[str, ...],
    queries: NDArray[np.float32],
    names: Sequence[str],
    trained: Sequence[str] | frozenset[str],
) -> Outcomes:
    """Search `queries` as `search` does, in an index whose classes are positions in `labels`."""
    found, scores = index.best_classes(queries, 2)
    position = {label: number for number, label in enumerate(labels)}
    truth = np.array([position.get(name, UNKNOWN) for name in names], dtype=np.int64)
    known = frozenset(trained)
    return Outcomes(
        truth,
        found[:, 0],
        scores,
        labels,
        tuple(names),
        np.array([name in known for name in names], dtype=bool),
    )
