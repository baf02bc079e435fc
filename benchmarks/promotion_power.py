"""`python -m benchmarks.promotion_power`: what the gates of a promotion let through, on simulated models.

Two models answer 20 queries of each of 70 enrolled and 30 unknown classes, drawn anew each time. A model is right
about a query where a normal number stays below its limit (a probit model); the number adds up what is hard about the
class and the query for both models, and what is hard for the one model alone. Right answers of one model are alike in a
class by .20 (ICC); the two models' difference by 0, .03, .10 or .20. TPIR is .90, TNIR .94 and about 9 % of the queries
are answered right by one model alone.

`false_promotion_rate`: equal models, the worst of the four ICCs. `power_icc_03`, `power_icc_10`: 3 points better on
enrolled and unknown queries. `refusal_drift_promoted`: 4 points worse in TNIR, of which 2 are allowed, and 5 or 7
better on enrolled queries; the worst of both and of the ICCs. `chain_*`: twenty candidates in turn, each 3 points
better and 3 worse in TNIR than what is in production then, with and without a look at the channel's past.
`coverage_worst`: the lowest share of 95 % intervals that hold the true difference, over figures, ICCs, 10, 30 and 100
classes, and models that name unknowns differently often. Levels were chosen on other seeds than these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

from benchmarks.run import BenchmarkParser, positive_int
from discern.evaluation.gates import AnsweredQueries, GateConfig, PromotionDecision, apply_gates
from discern.evaluation.metrics import Metrics, macro_precision_recall
from discern.evaluation.paired_figures import FIGURES, paired_intervals
from discern.evaluation.retrieval import UNKNOWN
from discern.progress import bar

ICCS = (0.0, 0.03, 0.10, 0.20)  # of the difference of two models within a class
TPIR, TNIR = 0.90, 0.94
RIGHT_ICC = 0.20  # of one model's right answers within a class
DISAGREEMENT = 0.10  # of enrolled queries; of all queries it is about .09
TO_LOOKALIKE = 0.7  # of the wrong names: the rest go to any class
WITH_NAME = 0.5  # of the wrong answers to enrolled queries: the rest are `unknown`
PAIRS, CHAINS, CHAIN_LENGTH = 1000, 100, 20
SEED = 15_000
SHAPES = ((7, 3), (21, 9), (70, 30))  # enrolled and unknown classes of the coverage
NAMING = ((0.90, 0.94), (0.93, 0.97), (0.95, 0.90), (0.90, 0.80))  # TPIR and TNIR of its candidates


class Spread(NamedTuple):
    """Variances of what makes a query hard; they add up to 1."""

    shared_class: float
    shared_query: float
    model_class: float
    model_query: float


@dataclass(frozen=True)
class Model:
    """What is hard for one model alone, and how much it answers right.

    Attributes:
        hard: [q] of each query.
        tpir: share of the enrolled queries that it answers right.
        tnir: share of the unknown queries that it refuses.
    """

    hard: NDArray[np.float64]
    tpir: float = TPIR
    tnir: float = TNIR


class World:
    """Queries whose answers are drawn.

    Attributes:
        truth: [q] number of the class, or -1 for an unknown.
        groups: q classes.
    """

    def __init__(
        self, seed: tuple[int, ...], icc: float, enrolled: int = 70, unknown: int = 30, each: int = 20
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._spread = spread(icc)
        self._class = np.repeat(np.arange(enrolled + unknown), each)
        self._hard = self._drawn(self._spread.shared_class, self._spread.shared_query)
        self.truth = np.where(self._class < enrolled, self._class, UNKNOWN)
        self.groups = np.char.zfill(self._class.astype(str), 3).tolist()
        lookalike = self._rng.integers(0, enrolled, enrolled + unknown)[self._class]
        other = np.where(self._chance(TO_LOOKALIKE), lookalike, self._rng.integers(0, enrolled, len(self.truth)))
        other = np.where(other == self.truth, (other + 1) % enrolled, other)
        self._wrong = np.where((self.truth == UNKNOWN) | self._chance(WITH_NAME), other, UNKNOWN)

    def model(self, tpir: float = TPIR, tnir: float = TNIR) -> Model:
        """Draw a model."""
        return Model(self._drawn(self._spread.model_class, self._spread.model_query), tpir, tnir)

    def answers(self, model: Model) -> NDArray[np.int64]:
        """Return the answers [q] of a model: its wrong ones are the same as another model's."""
        limit = norm.ppf([model.tnir, model.tpir])[(self.truth != UNKNOWN).astype(int)]
        return np.where(self._hard + model.hard < limit, self.truth, self._wrong)

    def answered(self, model: Model) -> AnsweredQueries:
        """Return the answers of a model with the figures that the gates read."""
        answers, enrolled = self.answers(model), self.truth != UNKNOWN
        right = answers == self.truth
        precision, recall = macro_precision_recall(self.truth, answers)
        tpir, tnir = float(right[enrolled].mean()), float(right[~enrolled].mean())
        metrics = Metrics(
            recall_at_1=tpir,
            unseen_recall_at_1=None,
            tpir=tpir,
            unseen_tpir=None,
            tnir=tnir,
            auroc=None,
            precision=precision,
            recall=recall,
            accuracy=float(right.mean()),
            enrolled_queries=int(enrolled.sum()),
            unseen_queries=0,
            unknown_queries=int((~enrolled).sum()),
            gallery_classes=len(np.unique(self.truth[enrolled])),
        )
        return AnsweredQueries(truth=self.truth, answered=answers, metrics=metrics, latency_ms=10, size_mb=10)

    def _drawn(self, of_class: float, of_query: float) -> NDArray[np.float64]:
        by_class = self._rng.normal(0, np.sqrt(of_class), self._class.max() + 1)
        return by_class[self._class] + self._rng.normal(0, np.sqrt(of_query), len(self._class))

    def _chance(self, share: float) -> NDArray[np.bool_]:
        return self._rng.random(len(self._class)) < share


@lru_cache
def spread(icc: float) -> Spread:
    """Find the variances that give the agreement of two models, of one model's classes, and of their difference."""
    apart = TPIR * (1 - TPIR) - DISAGREEMENT / 2
    both = brentq(lambda r: _covariance(r) - apart, 0, 0.999)
    one_class = brentq(lambda r: _covariance(r) - RIGHT_ICC * TPIR * (1 - TPIR), 0, 0.999)
    covariance = _covariance(one_class) - icc * DISAGREEMENT / 2
    shared = one_class if icc == 0 else brentq(lambda r: _covariance(r) - covariance, 0, one_class)
    return Spread(shared, both - shared, one_class - shared, 1 - both - one_class + shared)


def _covariance(correlation: float) -> float:
    """Covariance of two right answers whose normal numbers have this correlation."""
    limit = norm.ppf(TPIR)
    both = multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([limit, limit])
    return float(both) - TPIR**2


def decide(world: World, tpir: float, tnir: float) -> PromotionDecision:
    """Let the default gates decide on a candidate of these true rates."""
    candidate, production = world.answered(world.model(tpir, tnir)), world.answered(world.model())
    return apply_gates(candidate, production, world.groups, GateConfig())


def promoted(tpir: float, tnir: float, icc: float, pairs: int, seed: int = SEED) -> float:
    """Return the share of pairs of models whose candidate, of these true rates, is promoted."""
    worlds = (World((seed, round(100 * icc), pair), icc) for pair in range(pairs))
    return float(np.mean([decide(world, tpir, tnir).promote for world in worlds]))


class Chain(NamedTuple):
    """What became of production: how often it was replaced, and its true TNIR at the end."""

    promotions: int
    tnir: float


def chain(icc: float, seed: tuple[int, ...], *, with_past: bool) -> Chain:
    """Offer candidates in turn on one test set, each 3 points better and 3 worse in TNIR than production then is."""
    world = World(seed, icc)
    production, past = world.model(), list[Model]()
    for _ in range(CHAIN_LENGTH):
        candidate = world.model(min(0.99, production.tpir + 0.03), production.tnir - 0.03)
        answered = [world.answered(one) for one in past] if with_past else []
        if apply_gates(
            world.answered(candidate), world.answered(production), world.groups, GateConfig(), answered
        ).promote:
            past.append(production)
            production = candidate
    return Chain(len(past), production.tnir)


def coverage(icc: float, classes: tuple[int, int], rates: tuple[float, float], pairs: int) -> dict[str, float]:
    """Return the share of 95 % intervals that hold the true difference, by figure.

    Of macro precision that is the mean over the pairs: it has no closed form.
    """
    found = np.empty((pairs, len(FIGURES), 3))
    for pair in range(pairs):
        world = World((SEED, 1, classes[0], round(100 * icc), pair), icc, *classes)
        new, old = (world.answers(model) for model in (world.model(*rates), world.model()))
        intervals = paired_intervals(world.truth, new, old, world.groups)
        found[pair] = [(intervals[name].difference, intervals[name].low, intervals[name].high) for name in FIGURES]
    known, unknown = rates[0] - TPIR, rates[1] - TNIR
    accuracy = (classes[0] * known + classes[1] * unknown) / sum(classes)
    true = {"accuracy": accuracy, "recall": known, "TPIR": known, "TNIR": unknown}
    means = dict(zip(FIGURES, found[:, :, 0].mean(axis=0), strict=True)) | true
    return {
        name: float(((found[:, number, 1] <= means[name]) & (means[name] <= found[:, number, 2])).mean())
        for number, name in enumerate(FIGURES)
    }


def figures(pairs: int, chains: int) -> dict[str, float | int]:
    """Return the figures over so many pairs a case, and so many chains."""
    equal, drift = {}, {}
    for icc in bar(ICCS, name="equal and worse candidates", unit="ICC"):
        equal[icc] = promoted(TPIR, TNIR, icc, pairs)
        drift[icc] = max(promoted(TPIR + gain, TNIR - 0.04, icc, pairs) for gain in (0.05, 0.07))
    power = {icc: promoted(TPIR + 0.03, TNIR + 0.03, icc, pairs) for icc in bar(ICCS, name="better", unit="ICC")}
    return {
        "pairs": pairs,
        "false_promotion_rate": max(equal.values()),
        **{f"false_icc_{_name(icc)}": rate for icc, rate in equal.items()},
        **{f"power_icc_{_name(icc)}": rate for icc, rate in power.items()},
        "refusal_drift_promoted": max(drift.values()),
        **_chain_figures(chains),
        **_coverage_figures(pairs),
    }


def _name(icc: float) -> str:
    return f"{round(100 * icc):02}"


def _chain_figures(count: int) -> dict[str, float | int]:
    found: dict[str, float | int] = {"chains": count}
    for name, with_past in (("chain", True), ("chain_without_past", False)):
        ends = [chain(0.10, (SEED, 2, number), with_past=with_past) for number in bar(range(count), name=name)]
        tnir = np.array([end.tnir for end in ends])
        found |= {
            f"{name}_promoted": float(np.mean([end.promotions > 0 for end in ends])),
            f"{name}_tnir": float(tnir.mean()),
            f"{name}_worst_tnir": float(tnir.min()),
        }
    return found


def _coverage_figures(pairs: int) -> dict[str, float]:
    cases: Iterator[tuple[tuple[int, int], float, tuple[float, float]]] = (
        (shape, icc, rates) for shape in SHAPES for icc in ICCS for rates in NAMING
    )
    found: dict[int, list[Mapping[str, float]]] = {}
    for shape, icc, rates in bar(list(cases), name="coverage", unit="case"):
        found.setdefault(sum(shape), []).append(coverage(icc, shape, rates, pairs))
    every = [case for cases_of_size in found.values() for case in cases_of_size]
    return {
        "coverage_worst": min(min(case.values()) for case in every),
        "coverage_mean": float(np.mean([list(case.values()) for case in every])),
        **{f"coverage_worst_{size}": min(min(case.values()) for case in of_size) for size, of_size in found.items()},
        **{f"coverage_worst_{name.lower()}": min(case[name] for case in every) for name in FIGURES},
    }


def main() -> None:
    """Simulate all cases and keep the figures."""
    parser = BenchmarkParser("promotion_power", __doc__)
    parser.add_trial("--pairs", type=positive_int, default=PAIRS, help="of models, a case")
    parser.add_trial("--chains", type=positive_int, default=CHAINS, help="of candidates")
    run = parser.start()
    run.save(figures(run.options.pairs, run.options.chains))


if __name__ == "__main__":
    main()
