"""Two releases with different catalogues on the same queries: what both were asked alike; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.retrieval import UNKNOWN, SearchResults
from edge_runtime.core.decision import DecisionRule


@dataclass(frozen=True)
class CommonAnswers:
    """Answers of two releases to the queries that both were asked alike: of a class of both, or of none.

    Attributes:
        rows: [c] numbers of these queries among all.
        truth: [c] number of the true class in `labels`, or -1 for an unknown.
        candidate: [c] number of the class that the candidate answers, or -1 for `unknown`.
        production: [c] the same of production.
        groups: c labels of the true classes, unknowns too.
        labels: the classes of either release, sorted.
    """

    rows: NDArray[np.int64]
    truth: NDArray[np.int64]
    candidate: NDArray[np.int64]
    production: NDArray[np.int64]
    groups: list[str]
    labels: tuple[str, ...]

    def select(self, chosen: NDArray[np.bool_]) -> CommonAnswers:
        """Return the queries where `chosen` [c] is true."""
        return CommonAnswers(
            self.rows[chosen],
            self.truth[chosen],
            self.candidate[chosen],
            self.production[chosen],
            [self.groups[row] for row in np.flatnonzero(chosen)],
            self.labels,
        )


def common_answers(
    candidate: SearchResults, candidate_rule: DecisionRule, production: SearchResults, production_rule: DecisionRule
) -> CommonAnswers:
    """Number both releases' classes alike, and keep the queries that both were asked alike.

    Args:
        candidate: the queries in the candidate's gallery.
        candidate_rule: its rule.
        production: the same queries in production's gallery.
        production_rule: its rule.

    Raises:
        ValueError: the queries differ.
    """
    if candidate.query_labels != production.query_labels:
        raise ValueError("candidate and production were asked different queries")
    labels = tuple(sorted({*candidate.labels, *production.labels}))
    new_truth, new = _renumbered(candidate, candidate_rule, labels)
    old_truth, old = _renumbered(production, production_rule, labels)
    rows = np.flatnonzero(new_truth == old_truth)
    return CommonAnswers(
        rows=rows,
        truth=new_truth[rows],
        candidate=new[rows],
        production=old[rows],
        groups=[candidate.query_labels[row] for row in rows],
        labels=labels,
    )


def _renumbered(
    results: SearchResults, rule: DecisionRule, labels: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return truth and answers [q] by their numbers in `labels`."""
    number_of = {label: number for number, label in enumerate(labels)}
    numbers = np.array([*(number_of[label] for label in results.labels), UNKNOWN], dtype=np.int64)
    return numbers[results.truth], numbers[results.answers(rule)]  # -1 takes the last one
