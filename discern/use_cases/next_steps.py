"""What to do after a measurement that falls short: the one step that is most likely to help. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from discern.evaluation.gates import TOLD_REFUSAL, GateConfig
from discern.evaluation.metrics import Metrics
from discern.use_cases.recipe import FEW_PHOTOS as FEW_TO_TRAIN
from discern.words import be

FEW_PHOTOS = 10  # of a class in the gallery and in training, below which more of them help first
FEW_QUERIES = 30  # of enrolled classes, below which a figure moves by more than .03 with each

WEIGHTS = "start from weights (`weights: package:efficientnet_lite0`; `discern init --force` proposes how)"


@dataclass(frozen=True)
class Learnt:
    """How the measured model was learnt.

    Attributes:
        photos_per_class: photos that train or are enrolled, of the median class.
        from_weights: it started from ImageNet's weights.
        trained: it learnt from the use case's own photos.
        fpir: the false-identification rate that its rule is fitted for.
    """

    photos_per_class: float
    from_weights: bool
    trained: bool
    fpir: float


def next_steps(metrics: Metrics, learnt: Learnt) -> str | None:
    """Return one sentence on what is most likely to raise a figure that is below its usual floor; None where none is.

    Args:
        metrics: of the test queries.
        learnt: how the model was learnt.
    """
    missed = {name for name, (value, floor) in GateConfig().floors(metrics).items() if value is None or value < floor}
    step = _step(metrics, learnt, missed)
    if step is None or metrics.enrolled_queries >= FEW_QUERIES:
        return step
    return f"{step} (With {metrics.enrolled_queries} queries of enrolled classes these figures tell little.)"


def _step(metrics: Metrics, learnt: Learnt, missed: set[str]) -> str | None:
    if "recall@1" in missed:
        value = "no query" if metrics.recall_at_1 is None else f"{metrics.recall_at_1:.0%} of the queries"
        return f"{value} of enrolled classes found the right class: {_recognise(learnt)}."
    if _refuses_much(metrics):
        return (
            f"The rule refuses much of what is found right: {_spread(learnt)}, or allow a `packaging.fpir` above "
            f"{learnt.fpir:g}."
        )
    if "TNIR" in missed:
        return f"Unknowns get names: set `packaging.fpir` below {learnt.fpir:g}, or {_recognise(learnt)}."
    if missed:
        return f"Too low {be(len(missed))} {' and '.join(sorted(missed))}: {_recognise(learnt)}."
    return None


def _refuses_much(metrics: Metrics) -> bool:
    return (metrics.recall_at_1 or 0.0) - (metrics.tpir or 0.0) > TOLD_REFUSAL


def _recognise(learnt: Learnt) -> str:
    """Return what is most likely to make the model tell classes apart."""
    if not learnt.from_weights:
        return WEIGHTS
    if learnt.photos_per_class < FEW_PHOTOS:
        return f"take more photos of each class, {FEW_PHOTOS} at least"
    if learnt.trained:
        return "train longer"
    return f"take more photos; with {FEW_TO_TRAIN} that train, train it further from the same weights"


def _spread(learnt: Learnt) -> str:
    """Return what is most likely to set scores of right answers apart from those of unknowns."""
    return "train longer" if learnt.trained else "enrol more photos of each class"
