"""The gates that decide a promotion: candidate against production on the same queries, or against stated floors.

Rates are ISO/IEC 19795-1's: TPIR = 1 - FNIR of the enrolled queries, TNIR = 1 - FPIR of the unknowns. What could not be
computed fails its gate. Pure: answers in, decision out.

Floors count for a first release alone. Later the allowances bound what may be lost against production, so that a floor
would stop nothing that they let through, but each mend of a production that was promoted below it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from discern.evaluation.metrics import Metrics
from discern.evaluation.retrieval import UNKNOWN
from discern.evaluation.significance import Interval, bootstrap
from edge_runtime.core.readable import told_apart

# The limits by the decision that they take part in: a first release's floors, a comparison's allowances, the budgets.
FLOORS = ("least_recall_at_1", "least_tpir", "least_tnir", "least_precision")
ALLOWANCES = ("worse_by", "class_loses", "class_queries", "tnir_worse_by")
BUDGETS = ("latency_ms", "size_mb")

RAISED_BY = {
    "recall@1": "more photos of each class, a longer training, or weights to start from",
    "TPIR": "a longer training, more enrolled photos, or a higher `packaging.fpir`",
    "TNIR": "a lower `packaging.fpir`",
    "precision": "a lower `packaging.fpir`, or more photos of the classes that are taken for each other",
}
TOLD_REFUSAL = 0.2  # of the enrolled queries: where the rule refuses more than this of them that are retrieved right


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
    least_tpir: float = Field(default=0.6, ge=0, le=1, description="a first release must reach this")
    least_tnir: float = Field(default=0.5, ge=0, le=1, description="a first release must reach this")
    least_precision: float = Field(default=0.6, ge=0, le=1, description="a first release must reach this")
    resamples: int = Field(default=2000, ge=200, description="draws of the bootstrap that gives the 95 % intervals")
    seed: int = Field(default=0, description="of these draws")

    def floors(self, figures: Metrics) -> dict[str, tuple[float | None, float]]:
        """Return what a first release reaches and has to reach, by the name of the figure."""
        return {
            "recall@1": (figures.recall_at_1, self.least_recall_at_1),
            "TPIR": (figures.tpir, self.least_tpir),
            "TNIR": (_tnir(figures), self.least_tnir),
            "precision": (figures.precision, self.least_precision),
        }

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


def _tnir(figures: Metrics) -> float | None:
    """Return the TNIR; where no class can be asked as unknown, such as a single one, that of photos from elsewhere."""
    return figures.elsewhere_tnir if figures.tnir is None else figures.tnir


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
    floors = config.floors(candidate.metrics)
    gates = [
        *(_floor_gate(name, value, least) for name, (value, least) in floors.items()),
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
        groups: the class of each query, unknowns too: what the bootstrap draws. Where one class alone is enrolled it
            draws queries.
        config: the limits.

    Raises:
        ValueError: the two did not answer the same queries.
    """
    if not np.array_equal(candidate.truth, production.truth) or len(groups) != len(candidate.truth):
        raise ValueError("candidate and production answered different queries")
    if lacking := _lacking(candidate.truth):
        gate = GateResult(name="queries to draw from", passed=False, detail=lacking)
        return _decide([gate], "", candidate, production)
    drawn = _drawn(candidate.truth, groups)
    differences = bootstrap(
        candidate.truth, candidate.answered, production.answered, drawn, resamples=config.resamples, seed=config.seed
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


def _lacking(truth: NDArray[np.int64]) -> str | None:
    """Return why no interval can be drawn from the queries, with the mend; None where one can."""
    if (truth == UNKNOWN).all():
        return "the test queries are of unknowns alone: add photos of enrolled classes to the test split"
    if len(truth) < 2:
        return "there is one test query, which shows no spread: add photos to the test split"
    return None


def _drawn(truth: NDArray[np.int64], groups: list[str]) -> list[str]:
    """Return the group of each query that the bootstrap draws: classes, which one alone would show no spread of."""
    if len(np.unique(truth[truth != UNKNOWN])) > 1:
        return groups
    return [str(query) for query in range(len(groups))]


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
    gate, new, old = "TNIR not worse", _tnir(candidate.metrics), _tnir(production.metrics)
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


def _floor_gate(name: str, value: float | None, least: float) -> GateResult:
    if value is None:
        return GateResult(name=name, passed=False, detail="could not be computed on this test set")
    passed = value >= least
    fpir = f" (FPIR {1 - value:.3f})" if name == "TNIR" else ""
    mend = "" if passed else f"; it is raised by {RAISED_BY[name]}"
    reached, wanted = told_apart(value, least)
    return GateResult(name=name, passed=passed, detail=f"{reached}{fpir}, at least {wanted} wanted{mend}")


def _refusal(figures: Metrics) -> list[GateResult]:
    """Tell, and stop nothing, where the decision rule refuses much of what is retrieved right."""
    if not figures.recall_at_1 or figures.tpir is None or figures.recall_at_1 - figures.tpir <= TOLD_REFUSAL:
        return []
    refused = 1 - figures.tpir / figures.recall_at_1
    detail = f"the rule refuses {refused:.0%} of what is retrieved right, which is lowered by {RAISED_BY['TPIR']}"
    return [GateResult(name="rule", passed=True, detail=detail)]


def _decide(
    gates: list[GateResult],
    praise: str,
    candidate: AnsweredQueries,
    production: AnsweredQueries | None = None,
    differences: dict[str, Interval] | None = None,
) -> PromotionDecision:
    """Promote where every gate passes, for the reason `praise`."""
    telling = _refusal(candidate.metrics)
    praise = "; but ".join([praise, *(gate.detail for gate in telling)])
    failures = [f"{gate.name}: {gate.detail}" for gate in gates if not gate.passed]
    return PromotionDecision(
        promote=not failures,
        reason="; ".join(failures) or praise,
        gates=(*gates, *telling),
        differences=differences or {},
        candidate=candidate.metrics,
        production=None if production is None else production.metrics,
    )
