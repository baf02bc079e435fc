"""Search queries of known truth in a gallery, with the device's own search and decision rule.

Search, decision and preprocessing are `edge_runtime`'s: what is evaluated is what ships. A released gallery holds every
class, so that a query is made an unknown by leaving its own class out of the search.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from discern.errors import DataError
from discern.evaluation.average_precision import average_precision_at_r
from discern.evaluation.gallery import Gallery, Vectors
from edge_runtime.core.decision import Calibrator, DecisionRule, decide, right_probability
from edge_runtime.core.index import NO_CLASS, GalleryIndex

UNKNOWN = -1  # the class number of an unknown, and of the answer `unknown`


@dataclass(frozen=True)
class SearchResults:
    """Queries and the classes nearest to them, before any decision.

    Attributes:
        truth: [q] number of the true class in `labels`, or -1 for an unknown.
        best_class: [q] number of the best class.
        scores: [q, 2] of the best and the second class; -inf where there is no second.
        labels: the enrolled classes.
        query_labels: q labels of the true classes, enrolled or not.
        trained: [q] whether the model trained on the query's class.
        left_out: [q] whether the query's class is enrolled, and was left out of the search: an unknown.
        probabilities: [q] that the best class is right, as a calibrator states; None where none does.
        average_precision: [q] at R, of the ranked gallery rows, not a number for an unknown; None where the search did
            not rank them.
    """

    truth: NDArray[np.int64]
    best_class: NDArray[np.int64]
    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    query_labels: tuple[str, ...]
    trained: NDArray[np.bool_]
    left_out: NDArray[np.bool_]
    probabilities: NDArray[np.float64] | None = None
    average_precision: NDArray[np.float64] | None = None

    @property
    def enrolled(self) -> NDArray[np.bool_]:
        """[q] whether the true class is among those searched; the rest are unknowns."""
        return self.truth != UNKNOWN

    @property
    def retrieved(self) -> NDArray[np.bool_]:
        """[q] whether the best class is the true one."""
        return self.enrolled & (self.best_class == self.truth)

    def named(self, rule: DecisionRule) -> NDArray[np.bool_]:
        """[q] whether the answer is a name."""
        return decide(self.scores, rule, self.probabilities)

    def answers(self, rule: DecisionRule) -> NDArray[np.int64]:
        """[q] number of the answered class, or -1 for `unknown`."""
        return np.where(self.named(rule), self.best_class, UNKNOWN)

    def right(self, rule: DecisionRule) -> NDArray[np.bool_]:
        """[q] whether the answer is right; `unknown` is the right answer to an unknown."""
        return self.answers(rule) == self.truth

    def stated_by(self, calibrator: Calibrator | None) -> SearchResults:
        """Return the same results with the probabilities that `calibrator` states."""
        return replace(self, probabilities=None if calibrator is None else right_probability(self.scores, calibrator))

    def numbered_by(self, labels: tuple[str, ...]) -> SearchResults:
        """Return the same results with each class numbered by its place in `labels`, which hold all classes."""
        number_of = {label: number for number, label in enumerate(labels)}
        numbers = np.array([*(number_of[label] for label in self.labels), UNKNOWN], dtype=np.int64)
        # -1 takes the last one.
        return replace(self, truth=numbers[self.truth], best_class=numbers[self.best_class], labels=labels)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> SearchResults:
        """Return some of the queries: those where `chosen` [q] is true, or those of these numbers."""
        rows = np.arange(len(self.truth))[chosen]
        return SearchResults(
            self.truth[rows],
            self.best_class[rows],
            self.scores[rows],
            self.labels,
            tuple(self.query_labels[row] for row in rows),
            self.trained[rows],
            self.left_out[rows],
            None if self.probabilities is None else self.probabilities[rows],
            None if self.average_precision is None else self.average_precision[rows],
        )


@dataclass(frozen=True)
class Queries:
    """Embedded queries.

    Attributes:
        vectors: [q, d] float32, unit length.
        labels: q labels of the true classes.
        trained: classes that the model trained on.
        left_out: [q] whether the query is asked as if its class were not enrolled; None: no query is.
    """

    vectors: Vectors
    labels: Sequence[str]
    trained: frozenset[str] = frozenset()
    left_out: NDArray[np.bool_] | None = None

    def sample(self, most: int, random: np.random.Generator) -> Queries:
        """Return these queries, or `most` of them where they are more, in their order."""
        if len(self.vectors) <= most:
            return self
        rows = np.sort(random.choice(len(self.vectors), most, replace=False))
        left_out = None if self.left_out is None else self.left_out[rows]
        return Queries(self.vectors[rows], [self.labels[row] for row in rows], self.trained, left_out)

    def search(self, gallery: Gallery, *, ranked: bool = False) -> SearchResults:
        """Search these queries in a gallery; `ranked`: rank its rows too, which compares each query with each row.

        Raises:
            DataError: there is no query.
        """
        return self.search_index(gallery.index, gallery.labels, ranked=ranked)

    def search_index(self, index: GalleryIndex, enrolled: tuple[str, ...], *, ranked: bool = False) -> SearchResults:
        """Search these queries in an index whose class numbers are positions in `enrolled`; `ranked` as for `search`.

        Raises:
            DataError: there is no query.
        """
        results = self._nearest(index, enrolled)
        if not ranked:
            return results
        precision, known = np.full(len(results.truth), np.nan), results.enrolled
        precision[known] = average_precision_at_r(index, self.vectors[known], results.truth[known])
        return replace(results, average_precision=precision)

    def _nearest(self, index: GalleryIndex, enrolled: tuple[str, ...]) -> SearchResults:
        if len(self.vectors) == 0:
            raise DataError("There is no query to evaluate: the split holds gallery photos alone, give it more photos.")
        number_of = {label: number for number, label in enumerate(enrolled)}
        own = np.array([number_of.get(label, UNKNOWN) for label in self.labels], dtype=np.int64)
        left_out = np.zeros(len(own), dtype=bool) if self.left_out is None else self.left_out & (own != UNKNOWN)
        classes, scores = index.best_classes(self.vectors, 3 if left_out.any() else 2)
        if left_out.any():
            classes, scores = without(classes, scores, np.where(left_out, own, NO_CLASS))
        return SearchResults(
            truth=np.where(left_out, UNKNOWN, own),
            best_class=classes[:, 0],
            scores=scores[:, :2],
            labels=enrolled,
            query_labels=tuple(self.labels),
            trained=np.array([label in self.trained for label in self.labels], dtype=bool),
            left_out=left_out,
        )


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
    return Queries(queries, labels, frozenset(trained)).search(gallery)


def without(
    classes: NDArray[np.int64], scores: NDArray[np.float32], left_out: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Drop one class a query from its best [q, k] classes; the others move up, and the last place is empty.

    Args:
        classes: [q, k] the best classes, best first.
        scores: [q, k] of them.
        left_out: [q] the class to drop.
    """
    dropped = (classes == left_out[:, None]) & (classes != NO_CLASS)
    order = np.argsort(dropped, axis=1, kind="stable")
    rows = np.arange(len(classes))[:, None]
    return (
        np.where(dropped, NO_CLASS, classes)[rows, order],
        np.where(dropped, -np.inf, scores).astype(np.float32)[rows, order],
    )
