"""Candidate against production on the same queries: a paired bootstrap, and the gates that decide.

Queries of one class are alike, so whole classes are drawn, not single queries (the cluster bootstrap; Field and Welsh,
JRSS-B 2007). Pure: outcomes in, verdict out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_array

from discern.evaluation.confidence import CONFIDENCE
from discern.evaluation.metrics import Metrics
from discern.evaluation.retrieval import UNKNOWN


class GateConfig(BaseModel):
    """What a candidate must keep to. Shares between 0 and 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    worse_by: float = Field(default=0.01, ge=0, description="accuracy, precision and recall may lose at most this")
    class_loses: float = Field(default=0.34, ge=0, description="no class may lose more of its queries than this")
    class_queries: int = Field(default=3, ge=1, description="classes with fewer queries are not judged one by one")
    refusal_worse_by: float = Field(default=0.02, ge=0, description="TNIR may lose at most this")
    latency_ms: float = Field(default=100.0, gt=0, description="95th percentile of one identification, one thread")
    size_mb: float = Field(default=100.0, gt=0, description="all files of the release")
    least_recall_at_1: float = Field(default=0.5, ge=0, le=1, description="a first release must reach this")
    least_tnir: float = Field(default=0.5, ge=0, le=1, description="a first release must reach this")
    resamples: int = Field(default=2000, ge=200)
    seed: int = 0


class Interval(BaseModel):
    """A difference, candidate minus production, with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    difference: float
    low: float
    high: float


class GateResult(BaseModel):
    """One gate and what it found."""

    model_config = ConfigDict(frozen=True)

    name: str
    passed: bool
    detail: str


class PromotionDecision(BaseModel):
    """Whether the candidate is promoted, and which gates said so."""

    model_config = ConfigDict(frozen=True)

    promote: bool
    reason: str
    gates: tuple[GateResult, ...]
    differences: dict[str, Interval] = Field(default_factory=dict)
    candidate: Metrics | None = None
    production: Metrics | None = None


class AnsweredQueries(BaseModel):
    """The answers of one release to the frozen queries, with what they cost.

    Attributes:
        truth: [q] class number, or -1 for an unknown.
        answered: [q] class number in the same numbering, or -1 for `unknown`.
        metrics: the same as figures.
        latency_ms: 95th percentile of one identification.
        size_mb: all files of the release.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    truth: NDArray[np.int64]
    answered: NDArray[np.int64]
    metrics: Metrics
    latency_ms: float
    size_mb: float


def already_in_production(release: str) -> PromotionDecision:
    """The verdict where candidate and production are one release: nothing to compare, nothing to change."""
    gate = GateResult(
        name="another release than production's", passed=False, detail=f"{release} is in production already"
    )
    return PromotionDecision(promote=False, reason=gate.detail, gates=(gate,))


def apply_floors(candidate: AnsweredQueries, config: GateConfig) -> PromotionDecision:
    """Judge a candidate where nothing is in production yet: against stated floors."""
    figures = candidate.metrics
    gates = [
        _floor("recall@1", figures.recall_at_1, config.least_recall_at_1),
        _floor("TNIR", figures.tnir, config.least_tnir),
        *_budget(candidate, config),
    ]
    return _verdict(gates, {}, candidate.metrics, None, "nothing is in production, and every floor is reached")


def apply_gates(
    candidate: AnsweredQueries, production: AnsweredQueries, groups: list[str], config: GateConfig
) -> PromotionDecision:
    """Judge a candidate against production.

    Args:
        candidate: answers of the candidate.
        production: answers of production to the same queries.
        groups: the class of each query, unknowns too: what the bootstrap draws.
        config: the gates.

    Raises:
        ValueError: the two did not answer the same queries.
    """
    if not np.array_equal(candidate.truth, production.truth) or len(groups) != len(candidate.truth):
        raise ValueError("candidate and production answered different queries")
    if not (named := (candidate.truth != UNKNOWN).any()) or len(set(groups)) < 2:
        lacking = "one class, which shows no spread" if named else "unknowns alone"
        detail = f"the test queries are of {lacking}: add photos of other classes to the test split and the gallery"
        gate = GateResult(name="classes to draw from", passed=False, detail=detail)
        return _verdict([gate], {}, candidate.metrics, production.metrics, "")
    differences = bootstrap(candidate, production, groups, config)
    gates = [
        GateResult(
            name=f"{name} not worse",
            passed=interval.low >= -config.worse_by,
            detail=f"{_signed(interval)}, may lose {config.worse_by:.3f}",
        )
        for name, interval in differences.items()
    ]
    better = [name for name, interval in differences.items() if interval.low > 0]
    gates += [
        GateResult(
            name="better on at least one",
            passed=bool(better),
            detail=f"better on {', '.join(better)}" if better else "no interval lies above 0",
        ),
        _no_class_loses(candidate, production, groups, config),
        _refusal(candidate, production, config),
        *_budget(candidate, config),
    ]
    return _verdict(gates, differences, candidate.metrics, production.metrics, f"better on {', '.join(better)}")


def bootstrap(
    candidate: AnsweredQueries, production: AnsweredQueries, groups: list[str], config: GateConfig
) -> dict[str, Interval]:
    """Differences of accuracy, precision and recall with their intervals, drawing whole classes with replacement."""
    names, group = np.unique(np.array(groups), return_inverse=True)
    times = draw_groups(len(names), config.resamples, config.seed)
    once = np.ones((1, len(names)), dtype=np.int64)
    difference, differences = (_differences(candidate, production, group, weights) for weights in (once, times))
    return {name: percentile_interval(difference[name][0], values) for name, values in differences.items()}


def draw_groups(groups: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each resample draws each group, [resamples, groups]: as many as there are, with replacement."""
    drawn = np.random.default_rng(seed).integers(0, groups, (resamples, groups))
    return np.stack([np.bincount(draw, minlength=groups) for draw in drawn])


def percentile_interval(difference: float, resampled: NDArray[np.float64]) -> Interval:
    """The 95 % interval of a difference: the middle of what it was in the resamples."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(difference=float(difference), low=float(low), high=float(high))


def _differences(
    candidate: AnsweredQueries, production: AnsweredQueries, group: NDArray[np.int64], times: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    ours = weighted_figures(candidate.truth, candidate.answered, group, times)
    theirs = weighted_figures(production.truth, production.answered, group, times)
    return {name: ours[name] - theirs[name] for name in ours}


def weighted_figures(
    truth: NDArray[np.int64], answered: NDArray[np.int64], group: NDArray[np.int64], times: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Accuracy, macro precision and macro recall of resamples; a class drawn twice weighs twice in every mean.

    Args:
        truth: [q] class, or -1 for an unknown.
        answered: [q] class, or -1 for `unknown`.
        group: [q] which group each query belongs to.
        times: [r, g] how often each resample drew each group.

    Returns:
        [r] of each; 0 where there is nothing to divide by.
    """
    shape = times.shape[1], int(max(truth.max(), answered.max(), 0)) + 1
    present = _table(group, truth, truth != UNKNOWN, shape)
    named = times @ _table(group, answered, answered != UNKNOWN, shape)
    hits = times @ _table(group, truth, (truth == answered) & (truth != UNKNOWN), shape)
    queries = present.sum(axis=0)
    # How often a class was drawn; a class without queries of its own is there in every resample.
    weight = np.where(queries > 0, _ratio(times @ present, queries), 1.0)
    right = np.bincount(group, truth == answered, minlength=len(times.T))
    return {
        "accuracy": _ratio(times @ right, times @ np.bincount(group, minlength=len(times.T))),
        "precision": _ratio((weight * _ratio(hits, named)).sum(axis=1), (weight * (named > 0)).sum(axis=1)),
        "recall": _ratio(_ratio(hits, queries).sum(axis=1), (weight * (queries > 0)).sum(axis=1)),
    }


def _table(
    group: NDArray[np.int64], classes: NDArray[np.int64], chosen: NDArray[np.bool_], shape: tuple[int, int]
) -> csr_array:
    """How many of the `chosen` queries each group has of each class."""
    place = group[chosen], classes[chosen]
    return csr_array((np.ones(chosen.sum(), dtype=np.int64), place), shape=shape)


def _ratio(dividend: NDArray[Any], divisor: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(dividend, divisor, out=np.zeros(np.broadcast(dividend, divisor).shape), where=divisor != 0)


def _no_class_loses(
    candidate: AnsweredQueries, production: AnsweredQueries, groups: list[str], config: GateConfig
) -> GateResult:
    ours, theirs = candidate.answered == candidate.truth, production.answered == production.truth
    names, group, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    large = sizes >= config.class_queries
    if not large.any():
        detail = f"no class has {config.class_queries} queries or more: not computed"
        return GateResult(name="no class loses", passed=False, detail=detail)
    losses = np.bincount(group, theirs.astype(float) - ours, len(names)) / sizes
    worst = int(np.where(large, losses, -np.inf).argmax())
    loss = max(0.0, float(losses[worst]))
    detail = f"{names[worst]} loses {loss:.2f} of its queries" if loss > 0 else "no class loses"
    return GateResult(
        name="no class loses", passed=loss <= config.class_loses, detail=f"{detail}, {config.class_loses:.2f} may"
    )


def _refusal(candidate: AnsweredQueries, production: AnsweredQueries, config: GateConfig) -> GateResult:
    if not (candidate.truth == UNKNOWN).any():
        return GateResult(name="TNIR not worse", passed=False, detail="no unknown among the queries: not computed")
    ours, theirs = candidate.metrics.tnir or 0.0, production.metrics.tnir or 0.0
    return GateResult(
        name="TNIR not worse",
        passed=ours >= theirs - config.refusal_worse_by,
        detail=f"{ours:.3f} against {theirs:.3f}, may lose {config.refusal_worse_by:.3f}",
    )


def _budget(candidate: AnsweredQueries, config: GateConfig) -> list[GateResult]:
    return [
        GateResult(
            name="latency",
            passed=candidate.latency_ms <= config.latency_ms,
            detail=f"p95 {candidate.latency_ms:.1f} ms, budget {config.latency_ms:.0f} ms",
        ),
        GateResult(
            name="size",
            passed=candidate.size_mb <= config.size_mb,
            detail=f"{candidate.size_mb:.1f} MB, budget {config.size_mb:.0f} MB",
        ),
    ]


def _floor(name: str, value: float | None, least: float) -> GateResult:
    if value is None:
        return GateResult(name=name, passed=False, detail="could not be computed on this test set")
    return GateResult(name=name, passed=value >= least, detail=f"{value:.3f}, at least {least:.3f} wanted")


def _verdict(
    gates: list[GateResult], differences: dict[str, Interval], candidate: Metrics, production: Metrics | None, good: str
) -> PromotionDecision:
    failed = [gate for gate in gates if not gate.passed]
    reason = good if not failed else "; ".join(f"{gate.name}: {gate.detail}" for gate in failed)
    return PromotionDecision(
        promote=not failed,
        reason=reason,
        gates=tuple(gates),
        differences=differences,
        candidate=candidate,
        production=production,
    )


def _signed(interval: Interval) -> str:
    return f"{interval.difference:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
