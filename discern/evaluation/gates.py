"""The gates that decide a promotion: candidate against production on the same queries, or against stated floors.

Rates are ISO/IEC 19795-1's: TPIR = 1 - FNIR of the enrolled queries, TNIR = 1 - FPIR of the unknowns. What could not be
computed fails its gate. Pure: answers in, decision out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from discern.evaluation.metrics import Metrics
from discern.evaluation.retrieval import UNKNOWN
from discern.evaluation.significance import Interval, bootstrap

# The limits by the decision that they take part in: a first release's floors, a comparison's allowances, the budgets.
FLOORS = ("least_recall_at_1", "least_tnir")
ALLOWANCES = ("worse_by", "class_loses", "class_queries", "tnir_worse_by")
BUDGETS = ("latency_ms", "size_mb")


class GateConfig(BaseModel):
    """The limits of a promotion. Shares between 0 and 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    worse_by: float = Field(default=0.01, ge=0, description="accuracy, precision and recall may lose at most this")
    class_loses: float = Field(default=0.34, ge=0, description="no class may lose more of its queries than this")
    class_queries: int = Field(default=3, ge=1, description="classes with fewer queries are not judged one by one")
    tnir_worse_by: float = Field(default=0.02, ge=0, description="TNIR may lose at most this")
    latency_ms: float = Field(default=100.0, gt=0, description="95th percentile of one identification, one thread")
    size_mb: float = Field(default=100.0, gt=0, description="all files of the release")
    least_recall_at_1: float = Field(default=0.5, ge=0, le=1, description="a first release must reach this")
    least_tnir: float = Field(default=0.5, ge=0, le=1, description="a first release must reach this")
    resamples: int = Field(default=2000, ge=200, description="draws of the bootstrap that gives the 95 % intervals")
    seed: int = Field(default=0, description="of these draws")

    def loosened(self, *, first: bool) -> dict[str, tuple[float, float]]:
        """Return the limits that let more through than the defaults, as name -> (limit, default).

        Args:
            first: whether nothing is in production, so that floors count in place of allowances.
        """
        default = GateConfig()
        counting = (*(FLOORS if first else ALLOWANCES), *BUDGETS)
        pairs = {name: (_limit(self, name), _limit(default, name)) for name in counting}
        return {
            name: (limit, usual)
            for name, (limit, usual) in pairs.items()
            if (limit < usual if name in FLOORS else limit > usual)
        }


def _limit(config: GateConfig, name: str) -> float:
    return float(getattr(config, name))


class GateResult(BaseModel):
    """One gate and what it measured."""

    model_config = ConfigDict(frozen=True)

    name: str
    passed: bool
    detail: str


class PromotionDecision(BaseModel):
    """Whether the candidate is promoted, and the gates that decide it."""

    model_config = ConfigDict(frozen=True)

    promote: bool
    reason: str
    gates: tuple[GateResult, ...]
    differences: dict[str, Interval] = Field(default_factory=dict)
    candidate: Metrics | None = None
    production: Metrics | None = None


class AnsweredQueries(BaseModel):
    """The answers of one release to the frozen queries, with their cost.

    Attributes:
        truth: [q] number of the true class, or -1 for an unknown.
        answered: [q] number of the answered class, or -1 for `unknown`.
        metrics: figures of these answers.
        latency_ms: 95th percentile of one identification, milliseconds.
        size_mb: all files of the release, MB.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    truth: NDArray[np.int64]
    answered: NDArray[np.int64]
    metrics: Metrics
    latency_ms: float
    size_mb: float

    @property
    def right(self) -> NDArray[np.bool_]:
        """[q] whether the answer is right."""
        return self.answered == self.truth


def already_in_production(release: str) -> PromotionDecision:
    """Decide where candidate and production are one release: there is nothing to compare, and nothing changes."""
    gate = GateResult(
        name="another release than production's", passed=False, detail=f"{release} is in production already"
    )
    return PromotionDecision(promote=False, reason=gate.detail, gates=(gate,))


def apply_floors(candidate: AnsweredQueries, config: GateConfig) -> PromotionDecision:
    """Decide where nothing is in production yet: the candidate must reach the floors of `config`."""
    figures = candidate.metrics
    gates = [
        _floor_gate("recall@1", figures.recall_at_1, config.least_recall_at_1),
        _floor_gate("TNIR", figures.tnir, config.least_tnir, with_fpir=True),
        *_budget_gates(candidate, config),
    ]
    return _decide(gates, "nothing is in production, and every floor is reached", candidate)


def apply_gates(
    candidate: AnsweredQueries, production: AnsweredQueries, groups: list[str], config: GateConfig
) -> PromotionDecision:
    """Decide whether the candidate replaces production.

    Args:
        candidate: answers of the candidate.
        production: answers of production to the same queries.
        groups: the class of each query, unknowns too: what the bootstrap draws.
        config: the limits.

    Raises:
        ValueError: the two did not answer the same queries.
    """
    if not np.array_equal(candidate.truth, production.truth) or len(groups) != len(candidate.truth):
        raise ValueError("candidate and production answered different queries")
    if lacking := _lacking(candidate.truth, groups):
        detail = f"the test queries are of {lacking}: add photos of other classes to the test split and the gallery"
        gate = GateResult(name="classes to draw from", passed=False, detail=detail)
        return _decide([gate], "", candidate, production)
    differences = bootstrap(
        candidate.truth, candidate.answered, production.answered, groups, resamples=config.resamples, seed=config.seed
    )
    better = [name for name, interval in differences.items() if interval.low > 0]
    praise = f"better on {', '.join(better)}"
    gates = [
        *(_not_worse_gate(name, interval, config) for name, interval in differences.items()),
        GateResult(
            name="better on at least one", passed=bool(better), detail=praise if better else "no interval lies above 0"
        ),
        _class_gate(candidate, production, groups, config),
        _tnir_gate(candidate, production, config),
        *_budget_gates(candidate, config),
    ]
    return _decide(gates, praise, candidate, production, differences)


def _lacking(truth: NDArray[np.int64], groups: list[str]) -> str | None:
    """Return what the queries are of where no interval can be drawn from them."""
    if (truth == UNKNOWN).all():
        return "unknowns alone"
    if len(set(groups)) < 2:
        return "one class, which shows no spread"
    return None


def _not_worse_gate(name: str, interval: Interval, config: GateConfig) -> GateResult:
    value = f"{interval.difference:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    return GateResult(
        name=f"{name} not worse",
        passed=interval.low >= -config.worse_by,
        detail=f"{value}, may lose {config.worse_by:.3f}",
    )


def _class_gate(
    candidate: AnsweredQueries, production: AnsweredQueries, groups: list[str], config: GateConfig
) -> GateResult:
    gate = "no class loses"
    labels, group, queries = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    large = queries >= config.class_queries
    if not large.any():
        detail = f"no class has {config.class_queries} queries or more: not computed"
        return GateResult(name=gate, passed=False, detail=detail)
    lost: NDArray[np.float64] = production.right.astype(np.float64) - candidate.right
    losses = np.bincount(group, lost, len(labels)) / queries
    worst = int(np.where(large, losses, -np.inf).argmax())
    loss = max(0.0, float(losses[worst]))
    detail = f"{labels[worst]} loses {loss:.2f} of its queries" if loss > 0 else gate
    return GateResult(name=gate, passed=loss <= config.class_loses, detail=f"{detail}, {config.class_loses:.2f} may")


def _tnir_gate(candidate: AnsweredQueries, production: AnsweredQueries, config: GateConfig) -> GateResult:
    gate, new, old = "TNIR not worse", candidate.metrics.tnir, production.metrics.tnir
    if new is None or old is None:
        return GateResult(name=gate, passed=False, detail="no unknown among the queries: not computed")
    return GateResult(
        name=gate,
        passed=new >= old - config.tnir_worse_by,
        detail=f"{new:.3f} against {old:.3f} (FPIR {1 - new:.3f} against {1 - old:.3f}), may lose "
        f"{config.tnir_worse_by:.3f}",
    )


def _budget_gates(candidate: AnsweredQueries, config: GateConfig) -> list[GateResult]:
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


def _floor_gate(name: str, value: float | None, least: float, *, with_fpir: bool = False) -> GateResult:
    if value is None:
        return GateResult(name=name, passed=False, detail="could not be computed on this test set")
    fpir = f" (FPIR {1 - value:.3f})" if with_fpir else ""
    return GateResult(name=name, passed=value >= least, detail=f"{value:.3f}{fpir}, at least {least:.3f} wanted")


def _decide(
    gates: list[GateResult],
    praise: str,
    candidate: AnsweredQueries,
    production: AnsweredQueries | None = None,
    differences: dict[str, Interval] | None = None,
) -> PromotionDecision:
    """Promote where every gate passes, for the reason `praise`."""
    failures = [f"{gate.name}: {gate.detail}" for gate in gates if not gate.passed]
    return PromotionDecision(
        promote=not failures,
        reason="; ".join(failures) or praise,
        gates=tuple(gates),
        differences=differences or {},
        candidate=candidate.metrics,
        production=None if production is None else production.metrics,
    )
