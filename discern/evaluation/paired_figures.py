"""Differences of the figures of two models on the same queries, with intervals that take whole classes as drawn.

The standard error is the jackknife's that leaves out one class at a time (Cameron and Miller, Journal of Human
Resources 50, 2015). Of macro precision a bootstrap over classes is biased towards the model that names more unknowns: a
class that is drawn twice doubles its right names and its weight at once. Leaving out a class is not.

Two things keep few classes honest. Classes in which both models are right alike tell nothing of the spread, so that t
has as many degrees of freedom as classes in which they differ, less one. And two models that differ nowhere are not
known to be equal: two pseudo-queries, one won and one lost, are added to the variance (Bonett and Price, Journal of
Educational and Behavioral Statistics 37, 2012). `python -m benchmarks.promotion_power` simulates what the intervals
cover. Pure: answers in, intervals out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.confidence import CONFIDENCE
from discern.evaluation.retrieval import UNKNOWN
from discern.evaluation.significance import Interval

FIGURES = ("accuracy", "precision", "recall", "TPIR", "TNIR")
POWER = 0.8  # of the difference that is said to be seen
PSEUDO_QUERIES = 2


class _Figure(NamedTuple):
    """A figure of one model.

    Attributes:
        value: over all groups.
        without: [g] the same when one group is left out.
    """

    value: float
    without: NDArray[np.float64]


class _Part(NamedTuple):
    """The queries that a figure is about.

    Attributes:
        queries: their number.
        groups: [g] whether each group holds some of them.
        differing: number of groups in which the two models differ on them.
    """

    queries: int
    groups: NDArray[np.bool_]
    differing: int


def paired_intervals(
    truth: NDArray[np.int64],
    candidate: NDArray[np.int64],
    production: NDArray[np.int64],
    groups: Sequence[str],
) -> dict[str, Interval]:
    """Return the differences of accuracy, macro precision and recall, TPIR and TNIR, candidate minus production.

    Args:
        truth: [q] true class, or -1 for an unknown.
        candidate: [q] answered class, or -1 for `unknown`.
        production: [q] the same of the other model.
        groups: q groups, the class of each query, unknowns too.

    Returns:
        The intervals by figure; those of fewer than two groups, which show no spread, are left out.
    """
    group = np.unique(np.array(groups), return_inverse=True)[1]
    enrolled = truth != UNKNOWN
    differs = (candidate == truth) != (production == truth)
    parts = {
        "accuracy": _part(np.ones(len(truth), dtype=bool), differs, group),
        "precision": _part(enrolled, candidate != production, group),
        "recall": _part(enrolled, differs & enrolled, group),
        "TPIR": _part(enrolled, differs & enrolled, group),
        "TNIR": _part(~enrolled, differs & ~enrolled, group),
    }
    told = {name for name, part in parts.items() if part.groups.sum() >= 2}
    new, old = (_figures(truth, answered, group, told) for answered in (candidate, production))
    return {name: _interval(new[name], old[name], parts[name]) for name in parts if name in told}


def paired_share(candidate: NDArray[np.bool_], production: NDArray[np.bool_]) -> Interval | None:
    """Return the difference of two shares of the same independent photos [n], None of fewer than two photos."""
    photos = [str(number) for number in range(len(candidate))]
    unknown = np.full(len(candidate), UNKNOWN)
    new, old = (np.where(right, UNKNOWN, 0) for right in (candidate, production))
    return paired_intervals(unknown, new, old, photos).get("TNIR")


def _part(chosen: NDArray[np.bool_], differs: NDArray[np.bool_], group: NDArray[np.int64]) -> _Part:
    count = int(group.max()) + 1
    return _Part(int(chosen.sum()), np.bincount(group[chosen], minlength=count) > 0, len(np.unique(group[differs])))


def _interval(new: _Figure, old: _Figure, part: _Part) -> Interval:
    """Return the difference with its interval.

    The classes' spread and that of the pseudo-queries add up as variances, each with its own quantile of t.
    """
    from scipy.special import stdtrit  # takes half a second to import, and a config is checked without it

    difference = new.value - old.value
    without = (new.without - old.without)[part.groups]
    count = len(without)
    error = np.sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum()))
    pseudo = np.sqrt(PSEUDO_QUERIES) / part.queries
    freedom = max(1, min(count, part.differing) - 1)

    def width(certainty: float) -> float:
        return float(np.hypot(stdtrit(freedom, certainty) * error, stdtrit(count - 1, certainty) * pseudo))

    half, one_sided = width((1 + CONFIDENCE) / 2), width(CONFIDENCE)
    return Interval(
        difference=difference,
        low=max(-1.0, difference - half),
        high=min(1.0, difference + half),
        at_least=max(-1.0, difference - one_sided),
        seen=one_sided + width(POWER),
        groups=count,
    )


def _figures(
    truth: NDArray[np.int64], answered: NDArray[np.int64], group: NDArray[np.int64], told: set[str]
) -> dict[str, _Figure]:
    """Compute the figures that can be told of one model."""
    right, enrolled = answered == truth, truth != UNKNOWN
    chosen = {"accuracy": np.ones(len(truth), dtype=bool), "TPIR": enrolled, "TNIR": ~enrolled}
    figures = {name: _share(right, mask, group) for name, mask in chosen.items() if name in told}
    if "recall" in told:
        figures |= _macro_means(truth, answered, group)
    return figures


def _share(right: NDArray[np.bool_], chosen: NDArray[np.bool_], group: NDArray[np.int64]) -> _Figure:
    count = int(group.max()) + 1
    hits = np.bincount(group[right & chosen], minlength=count)
    queries = np.bincount(group[chosen], minlength=count)
    return _Figure(float(hits.sum() / queries.sum()), _ratio(hits.sum() - hits, queries.sum() - queries))


def _macro_means(truth: NDArray[np.int64], answered: NDArray[np.int64], group: NDArray[np.int64]) -> dict[str, _Figure]:
    """Compute macro precision and recall from the cells (group, class) that hold an answer or an enrolled query."""
    classes = int(max(truth.max(), answered.max())) + 1
    enrolled, named = truth != UNKNOWN, answered != UNKNOWN
    codes = np.concatenate([group[enrolled] * classes + truth[enrolled], group[named] * classes + answered[named]])
    cells, place = np.unique(codes, return_inverse=True)
    asked, answers = place[: enrolled.sum()], place[enrolled.sum() :]
    present, names = np.bincount(asked, minlength=len(cells)), np.bincount(answers, minlength=len(cells))
    hits = np.bincount(asked[(truth == answered)[enrolled]], minlength=len(cells))
    own = np.bincount(cells % classes, present, classes)[cells % classes]
    gone = (present > 0) & (present == own)
    table = _Cells(cells // classes, cells % classes, hits, gone, int(group.max()) + 1, classes)
    return {"precision": table.mean_ratio(names), "recall": table.mean_ratio(present)}


class _Cells(NamedTuple):
    """What each group holds of each class; pairs of which nothing is held have no cell.

    Attributes:
        group: [c] group of each cell.
        of: [c] class of each cell.
        hits: [c] queries of the class with the right answer.
        gone: [c] whether the class has no query left without the group: it then takes part in no mean.
        groups: number of groups.
        classes: number of classes.
    """

    group: NDArray[np.int64]
    of: NDArray[np.int64]
    hits: NDArray[np.int64]
    gone: NDArray[np.bool_]
    groups: int
    classes: int

    def mean_ratio(self, counts: NDArray[np.int64]) -> _Figure:
        """Return the mean over classes of hits / `counts` [c], as a whole and without each group."""
        all_hits, all_counts = (np.bincount(self.of, values, self.classes) for values in (self.hits, counts))
        terms, there = _ratio(all_hits, all_counts), all_counts > 0
        left = np.where(self.gone, 0, all_counts[self.of] - counts)
        changed = _ratio(all_hits[self.of] - self.hits, left) - terms[self.of]
        vanished = (left > 0).astype(np.float64) - there[self.of]
        total = terms.sum() + np.bincount(self.group, changed, self.groups)
        number = there.sum() + np.bincount(self.group, vanished, self.groups)
        return _Figure(float(_ratio(terms.sum(), there.sum())), _ratio(total, number))


def _ratio(dividend: Any, divisor: Any) -> NDArray[np.float64]:
    """Divide; 0 where there is nothing to divide by."""
    return np.divide(dividend, divisor, out=np.zeros(np.broadcast(dividend, divisor).shape), where=divisor != 0)
