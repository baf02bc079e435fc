"""The gates that decide a promotion: candidate against production on the same queries, and against stated floors.

Rates are ISO/IEC 19795-1's: TPIR = 1 - FNIR of the enrolled queries, TNIR = 1 - FPIR of the unknowns. What could not be
computed fails its gate. Pure: answers in, decision out.

Each test is one-sided at 5 %. Accuracy alone shows that a candidate is better: one figure is looked at, so there is
nothing to correct for. Every not-worse gate has to be passed, so none of them needs a correction either (Berger,
Technometrics 24, 1982). The levels were chosen by simulation: docs/adr/0014-what-a-promotion-shows.md.

A candidate that is better, and nowhere shown to be worse, is still not promoted where a loss beyond the allowed one is
not ruled out: that cannot be told on this test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from discern.evaluation.class_losses import find_losing_classes
from discern.evaluation.confidence import CONFIDENCE
from discern.evaluation.metrics import Metrics
from discern.evaluation.paired_figures import FIGURES, paired_intervals, paired_share
from discern.evaluation.retrieval import UNKNOWN
from discern.evaluation.significance import Interval
from discern.words import counted
from edge_runtime.core.readable import told_apart

# The limits by the decision that they take part in: those of every release, and those of a comparison.
FLOORS = ("least_recall_at_1", "least_tpir", "least_tnir", "least_precision")
BUDGETS = ("latency_ms", "size_mb", "memory_mb")
ALLOWANCES = ("worse_by", "class_loses", "tnir_worse_by", "latency_ratio", "least_classes", "least_queries")

PRIMARY = "accuracy"  # the figure in which a candidate has to be better

Outcome = Literal["promoted", "refused", "cannot be told"]

RAISED_BY = {
    "recall@1": "more photos of each class, a longer training, or weights to start from",
    "TPIR": "a longer training, more enrolled photos, or a higher `packaging.fpir`",
    "TNIR": "a lower `packaging.fpir`",
    "precision": "a lower `packaging.fpir`, or more photos of the classes that are taken for each other",
}
TOLD_REFUSAL = 0.2  # of the enrolled queries: where the rule refuses more than this of them that are retrieved right


class GateConfig(BaseModel):
    """The limits of a promotion. Shares between 0 and 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    worse_by: float = Field(default=0.01, ge=0, le=1, description="accuracy, precision, recall and TPIR may lose this")
    class_loses: float = Field(
        default=0.34, ge=0, le=1, description="a class that is shown to lose may lose at most this of its queries"
    )
    tnir_worse_by: float = Field(default=0.02, ge=0, le=1, description="TNIR may lose at most this")
    latency_ratio: float = Field(default=1.5, gt=0, description="latency over production's in the same run, at most")
    least_classes: int = Field(
        default=5,
        ge=2,
        description="with fewer test classes nothing can be told, but of a single one by its queries",
    )
    least_queries: int = Field(
        default=20, ge=2, description="with fewer queries of enrolled classes nothing can be told"
    )
    latency_ms: float = Field(default=100.0, gt=0, description="95th percentile of one identification, one thread")
    size_mb: float = Field(default=100.0, gt=0, description="all files of the release")
    memory_mb: float | None = Field(default=None, gt=0, description="peak memory of a process that identifies")
    least_recall_at_1: float = Field(default=0.5, ge=0, le=1, description="every release must reach this")
    least_tpir: float = Field(default=0.6, ge=0, le=1, description="every release must reach this")
    least_tnir: float = Field(default=0.5, ge=0, le=1, description="every release must reach this")
    least_precision: float = Field(default=0.6, ge=0, le=1, description="every release must reach this")

    def floors(self, figures: Metrics) -> dict[str, tuple[float | None, float]]:
        """Return what a release reaches and has to reach, by the name of the figure."""
        return {
            "recall@1": (figures.recall_at_1, self.least_recall_at_1),
            "TPIR": (figures.tpir, self.least_tpir),
            "TNIR": (_tnir(figures), self.least_tnir),
            "precision": (figures.precision, self.least_precision),
        }

    def loosened(self, *, first: bool) -> dict[str, tuple[float, float]]:
        """Return the limits that let more through than the defaults, as name -> (limit, default).

        Args:
            first: whether nothing is in production, so that there is nothing to compare with.
        """
        default = GateConfig()
        counting = (*FLOORS, *BUDGETS, *(() if first else ALLOWANCES))
        pairs = {name: (_limit(self, name), _limit(default, name)) for name in counting}
        return {
            name: (limit, usual)
            for name, (limit, usual) in pairs.items()
            if (limit < usual if name.startswith("least_") else limit > usual)
        }


def _tnir(figures: Metrics) -> float | None:
    """Return the TNIR; where no class can be asked as unknown, such as a single one, that of photos from elsewhere."""
    return figures.elsewhere_tnir if figures.tnir is None else figures.tnir


def _limit(config: GateConfig, name: str) -> float:
    limit = getattr(config, name)
    return np.inf if limit is None else float(limit)


class GateResult(BaseModel):
    """One gate and what it measured.

    Attributes:
        name: of the gate.
        passed: whether it lets the candidate through.
        detail: what was measured and what is allowed, with units.
        told: False where it fails because the test set is too small to tell.
        counts: False where it is only told, and stops nothing.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    passed: bool
    detail: str
    told: bool = True
    counts: bool = True


class PromotionDecision(BaseModel):
    """Whether the candidate is promoted, and the gates that decide it.

    Attributes:
        promote: whether it is.
        reason: what decided it.
        gates: all of them.
        differences: candidate minus production, by figure.
        candidate: figures of the candidate.
        production: figures of production, if it was compared.
        record: id of the record of this decision; None where none was written.
    """

    model_config = ConfigDict(frozen=True)

    promote: bool
    reason: str
    gates: tuple[GateResult, ...]
    differences: dict[str, Interval] = Field(default_factory=dict)
    candidate: Metrics | None = None
    production: Metrics | None = None
    record: str | None = None

    @property
    def outcome(self) -> Outcome:
        """What the decision is called: one that is not told is no refusal, and a larger test set may tell."""
        if self.promote:
            return "promoted"
        failed = [gate for gate in self.gates if not gate.passed]
        return "cannot be told" if failed and not any(gate.told for gate in failed) else "refused"


class AnsweredQueries(BaseModel):
    """The answers of one release to the frozen queries, with their cost.

    Attributes:
        truth: [q] number of the true class, or -1 for an unknown.
        answered: [q] number of the answered class, or -1 for `unknown`.
        metrics: figures of these answers.
        latency_ms: 95th percentile of one identification, milliseconds.
        size_mb: all files of the release, MB.
        median_latency_ms: median of one identification, milliseconds; None where it was not measured.
        memory_mb: peak memory of a process that identifies, MB; None where it was not measured.
        elsewhere_refused: [n] whether each photo from elsewhere was answered `unknown`; None where none was asked.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    truth: NDArray[np.int64]
    answered: NDArray[np.int64]
    metrics: Metrics
    latency_ms: float
    size_mb: float
    median_latency_ms: float | None = None
    memory_mb: float | None = None
    elsewhere_refused: NDArray[np.bool_] | None = None

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
    return _decide(own_gates(candidate, config), "nothing is in production, and every floor is reached", candidate)


def apply_gates(
    candidate: AnsweredQueries,
    production: AnsweredQueries,
    groups: Sequence[str],
    config: GateConfig,
    best_past: Sequence[AnsweredQueries] = (),
) -> PromotionDecision:
    """Decide whether the candidate replaces production.

    Args:
        candidate: answers of the candidate.
        production: answers of production to the same queries.
        groups: the class of each query, unknowns too: queries of one class are alike. Where one class alone is enrolled
            each query stands for itself.
        config: the limits.
        best_past: answers of releases that were in production before, to the same queries. In each figure the
            candidate is also held against the best of them, so that a loss that is allowed once is not repeated.

    Raises:
        ValueError: they did not answer the same queries.
    """
    for other in (production, *best_past):
        if not np.array_equal(candidate.truth, other.truth) or len(groups) != len(candidate.truth):
            raise ValueError("candidate and production answered different queries")
    drawn = _drawn(candidate.truth, groups)
    own = [*own_gates(candidate, config), _latency_ratio_gate(candidate, production, config)]
    differences = _differences(candidate, production, drawn)
    if lacking := _lacking(candidate.truth, drawn, config):
        gate = GateResult(name="enough to tell", passed=False, detail=lacking + _seen(differences), told=False)
        return _decide([gate, *own], "", candidate, production, differences)
    better = _better_gate(differences[PRIMARY])
    gates = [
        better,
        *_not_worse_gates(differences, config),
        _class_gate(candidate, production, groups, config),
        *_past_gates(candidate, best_past, drawn, config),
        *own,
        _mcnemar(candidate, production, differences[PRIMARY]),
    ]
    return _decide(gates, f"better on {PRIMARY}: {better.detail}", candidate, production, differences)


def with_gates(decision: PromotionDecision, further: Sequence[GateResult]) -> PromotionDecision:
    """Return a decision that further gates take part in; they come first."""
    failures = [f"{gate.name}: {gate.detail}" for gate in further if not gate.passed]
    if not failures:
        return decision.model_copy(update={"gates": (*further, *decision.gates)})
    reasons = failures if decision.promote else [*failures, decision.reason]
    update = {"promote": False, "reason": "; ".join(reasons), "gates": (*further, *decision.gates)}
    return decision.model_copy(update=update)


def own_gates(candidate: AnsweredQueries, config: GateConfig) -> list[GateResult]:
    """Return the gates that need no other release: the floors and the budgets."""
    floors = config.floors(candidate.metrics)
    return [*(_floor_gate(name, *pair) for name, pair in floors.items()), *_budget_gates(candidate, config)]


def _drawn(truth: NDArray[np.int64], groups: Sequence[str]) -> Sequence[str]:
    """Return the groups whose queries are alike: the classes, of which one alone would show no spread."""
    if len(np.unique(truth[truth != UNKNOWN])) > 1:
        return groups
    return [str(query) for query in range(len(groups))]


def _lacking(truth: NDArray[np.int64], drawn: Sequence[str], config: GateConfig) -> str | None:
    """Return how many classes and queries are missing, with the mend; None where there are enough."""
    enrolled = truth != UNKNOWN
    queries, classes = int(enrolled.sum()), len(np.unique(np.array(drawn)[enrolled]))
    if not queries:
        return "the test queries are of unknowns alone: add photos of enrolled classes to the test split"
    missing = [
        f"{counted(queries, 'query')} of enrolled classes, {config.least_queries - queries} too few"
        if queries < config.least_queries
        else "",
        f"{counted(classes, 'enrolled class')}, {config.least_classes - classes} too few"
        if classes < config.least_classes
        else "",
    ]
    if not any(missing):
        return None
    return f"the test split has {' and '.join(filter(None, missing))}: add photos to it, of further classes where few"


def _differences(candidate: AnsweredQueries, production: AnsweredQueries, drawn: Sequence[str]) -> dict[str, Interval]:
    """Return the intervals by figure; where no query is unknown, TNIR is that of photos from elsewhere."""
    differences = paired_intervals(candidate.truth, candidate.answered, production.answered, drawn)
    new, old = candidate.elsewhere_refused, production.elsewhere_refused
    if (candidate.truth != UNKNOWN).all() and new is not None and old is not None and len(new) == len(old):
        elsewhere = paired_share(new, old)
        return differences if elsewhere is None else differences | {"TNIR": elsewhere}
    return differences


def _better_gate(interval: Interval) -> GateResult:
    at_least, _ = _known(interval)
    detail = f"{_points(interval)}, more than 0 wanted{_seen({PRIMARY: interval})}"
    return GateResult(name=f"better on {PRIMARY}", passed=at_least > 0, detail=detail)


def _seen(differences: dict[str, Interval]) -> str:
    """Tell which gain such a test set shows; nothing where there is no interval of it."""
    if PRIMARY not in differences:
        return ""
    _, seen = _known(differences[PRIMARY])
    return f"; a gain of {100 * seen:.1f} points would be seen in 80 % of such test sets"


def _not_worse_gates(differences: dict[str, Interval], config: GateConfig, than: str = "") -> list[GateResult]:
    return [_not_worse_gate(name, differences.get(name), config, than) for name in FIGURES]


def _not_worse_gate(name: str, interval: Interval | None, config: GateConfig, than: str) -> GateResult:
    """Pass where a loss beyond the allowed one is ruled out; it is shown only where the estimate lies beyond it."""
    gate, allowed = f"{name} not worse{than}", config.tnir_worse_by if name == "TNIR" else config.worse_by
    if interval is None or (interval.groups or 0) < config.least_classes:
        count = interval.groups if interval and interval.groups else 0
        detail = f"{counted(count, 'class')} of such queries, {config.least_classes} wanted: not computed"
        return GateResult(name=gate, passed=False, detail=detail, told=False)
    at_least, _ = _known(interval)
    detail = f"{_points(interval)}, may lose {100 * allowed:.1f}"
    passed, shown = at_least >= -allowed, interval.difference < -allowed
    if not passed and not shown:
        detail += f"; {_wanted(interval, allowed)}"
    return GateResult(name=gate, passed=passed, detail=detail, told=passed or shown)


def _wanted(interval: Interval, allowed: float) -> str:
    """Tell about how large a test split would rule the loss out, if the difference stays as it is."""
    at_least, _ = _known(interval)
    reserve = interval.difference + allowed
    if reserve <= 0:
        return "a larger test split would tell"
    times = ((interval.difference - at_least) / reserve) ** 2
    return f"a test split about {times:.1f} times as large would tell"


def _known(interval: Interval) -> tuple[float, float]:
    """Return what the intervals that are computed here always hold."""
    if interval.at_least is None or interval.seen is None:
        raise ValueError("an interval of a former decision has no one-sided end")
    return interval.at_least, interval.seen


def _points(interval: Interval) -> str:
    at_least, _ = _known(interval)
    return f"{100 * interval.difference:+.1f} points, at least {100 * at_least:+.1f} with 95 % certainty"


def _class_gate(
    candidate: AnsweredQueries, production: AnsweredQueries, groups: Sequence[str], config: GateConfig
) -> GateResult:
    gate = "no class loses"
    if config.class_loses >= 1:
        return GateResult(name=gate, passed=True, detail="a class may lose all of its queries")
    found = find_losing_classes(candidate.right, production.right, groups)
    if not found.tested:
        detail = (
            f"a class shows a loss from {found.least_queries} queries on, and none has as many: add test photos, or "
            "allow any loss by `gates.class_loses: 1`"
        )
        return GateResult(name=gate, passed=False, detail=detail, told=False)
    shown = [f"{label} loses {share:.0%}" for label, share in found.losing]
    too_much = sum(share > config.class_loses for _, share in found.losing)
    few = found.classes - found.tested
    unseen = f"; {counted(few, 'class has', 'classes have')} too few queries to show any" if few else ""
    detail = (
        f"{', '.join(shown) or 'none is shown to lose'}, {config.class_loses:.0%} of its queries may be lost; a class "
        f"that loses {found.least_queries} and wins none would be seen{unseen}"
    )
    return GateResult(name=gate, passed=not too_much, detail=detail)


def _past_gates(
    candidate: AnsweredQueries, best_past: Sequence[AnsweredQueries], drawn: Sequence[str], config: GateConfig
) -> list[GateResult]:
    """Hold the candidate, in each figure, against the release of the past that was best in it."""
    if not best_past:
        return []
    compared = [_differences(candidate, past, drawn) for past in best_past]
    hardest = {
        name: min((one[name] for one in compared if name in one), key=lambda interval: interval.difference)
        for name in FIGURES
        if any(name in one for one in compared)
    }
    return _not_worse_gates(hardest, config, than=" than the best of the past")


def _mcnemar(candidate: AnsweredQueries, production: AnsweredQueries, accuracy: Interval) -> GateResult:
    """Tell McNemar's test, which takes queries as independent, and whether the interval over classes disagrees."""
    from scipy.stats import binomtest  # takes a second to import, and a config is checked without it

    won = int((candidate.right & ~production.right).sum())
    lost = int((production.right & ~candidate.right).sum())
    p = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    differ = (p < 1 - CONFIDENCE) != (accuracy.low > 0 or accuracy.high < 0)
    remark = "; the interval over classes says otherwise, and it counts: queries of a class are alike" if differ else ""
    detail = f"{won:,} queries won, {lost:,} lost, p = {p:.3f}{remark}"
    return GateResult(name="McNemar's test", passed=True, detail=detail, counts=False)


def _latency_ratio_gate(candidate: AnsweredQueries, production: AnsweredQueries, config: GateConfig) -> GateResult:
    ratio = candidate.latency_ms / production.latency_ms if production.latency_ms > 0 else np.nan
    return GateResult(
        name="latency against production",
        passed=bool(ratio <= config.latency_ratio),
        detail=f"p95 {candidate.latency_ms:.1f} ms, {ratio:.2f} times production's {production.latency_ms:.1f} ms in "
        f"the same run, at most {config.latency_ratio:.2f} times",
    )


def _budget_gates(candidate: AnsweredQueries, config: GateConfig) -> list[GateResult]:
    median = candidate.median_latency_ms
    p50 = "" if median is None else f" (p50 {median:.1f} ms)"
    gates = [
        GateResult(
            name="latency",
            passed=candidate.latency_ms <= config.latency_ms,
            detail=f"p95 {candidate.latency_ms:.1f} ms{p50}, budget {config.latency_ms:.0f} ms",
        ),
        GateResult(
            name="size",
            passed=candidate.size_mb <= config.size_mb,
            detail=f"{candidate.size_mb:.1f} MB, budget {config.size_mb:.0f} MB",
        ),
    ]
    return gates if config.memory_mb is None else [*gates, _memory_gate(candidate.memory_mb, config.memory_mb)]


def _memory_gate(memory_mb: float | None, budget: float) -> GateResult:
    used = "not measured" if memory_mb is None else f"{memory_mb:.1f} MB"
    passed = memory_mb is not None and memory_mb <= budget
    return GateResult(name="memory", passed=passed, detail=f"{used}, budget {budget:.0f} MB")


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
    return [GateResult(name="rule", passed=True, detail=detail, counts=False)]


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
