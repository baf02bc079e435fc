"""Which precision ships: the fastest, on the machine that builds the release, of those that answer as well as fp32.

Embeddings that moved may still find the same neighbours, and embeddings that hardly moved may not, where classes lie
close: so answers decide, and the distance from fp32's embeddings is only told. Pure: measurements in, choice out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.evaluation.retrieval import UNKNOWN, Outcomes
from discern.evaluation.significance import Gap, paired_gap
from edge_runtime.core.identify import DecisionRule

Variant = Literal["fp16", "int8"]
NumericFormat = Literal["fp32", "fp16", "int8"]


class NumericFormatConfig(BaseModel):
    """What is tried besides fp32, and what it may lose. Losses are shares of the validation queries.

    A loss is judged by the far end of its 95 % interval over classes, so that few queries do not pass by luck: of
    recall@1, and of detection and false identifications under one rule, fp32's. The rule that is fitted anew is judged
    by the loss alone: a threshold that a handful of unknowns set moves by more than an interval leaves room for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    variants: tuple[Variant, ...] = Field(default=("fp16", "int8"), description="tried besides fp32; empty: none")
    recall_loss: float = Field(default=0.02, ge=0, lt=1, description="recall@1 may be worse by at most this")
    tpir_loss: float = Field(
        default=0.04, ge=0, lt=1, description="the same of the TPIR, by fp32's rule and by the variant's own"
    )
    fpir_gain: float = Field(
        default=0.03, ge=0, lt=1, description="fp32's rule may name at most so many more of the unknowns"
    )
    least_agreement: float = Field(
        default=0.95, ge=0, le=1, description="share of the enrolled queries that must find the class that fp32 finds"
    )
    least_queries: int = Field(
        default=50, ge=2, description="with fewer enrolled queries or unknowns no loss can be told, and fp32 ships"
    )
    least_speedup: float = Field(default=1.1, ge=1, description="what is hardly faster than fp32 is not worth a loss")
    calibration_photos: int = Field(default=256, ge=1, le=10_000, description="training photos that calibrate int8")
    repetitions: int = Field(default=100, ge=10, description="timed calls of each precision")


class Accuracy(BaseModel):
    """How one precision answers the validation queries. Shares between 0 and 1; gaps are its own less fp32's.

    Attributes:
        recall_at_1: share of the enrolled queries whose nearest class is right.
        tpir: share of the enrolled queries answered right, with the rule fitted to this precision.
        fpir: share of the unknowns that get a name, with that rule.
        fp32_rule_tpir: TPIR with the rule that was fitted to fp32.
        fp32_rule_fpir: share of the unknowns that get a name with that one.
        agreement: share of the enrolled queries whose nearest class is the one that fp32 finds.
        recall_gap: paired with fp32's; each gap is None where the queries are of fewer than two classes.
        tpir_gap: the same, with the rule fitted to each.
        fp32_rule_tpir_gap: the same, with fp32's rule for both.
        fp32_rule_fpir_gap: the same, among the unknowns.
        cosine_mean: mean cosine of its embeddings of the queries with fp32's; for information.
        cosine_min: the lowest of them.
    """

    model_config = ConfigDict(frozen=True)

    recall_at_1: float
    tpir: float
    fpir: float
    fp32_rule_tpir: float
    fp32_rule_fpir: float
    agreement: float
    recall_gap: Gap | None
    tpir_gap: Gap | None
    fp32_rule_tpir_gap: Gap | None
    fp32_rule_fpir_gap: Gap | None
    cosine_mean: float
    cosine_min: float


class FormatMeasurement(BaseModel):
    """One precision on the target's execution provider.

    Attributes:
        precision: which.
        latency_ms: median of one photo on one thread; None where it was not measured.
        size_mb: of the ONNX file.
        accuracy: None where it was not measured.
        refused: why it could not be built or measured; None where it could.
    """

    model_config = ConfigDict(frozen=True)

    precision: NumericFormat
    latency_ms: float | None = None
    size_mb: float | None = None
    accuracy: Accuracy | None = None
    refused: str | None = None

    def figures(self) -> dict[str, float]:
        """All that was measured, under names that begin with the precision."""
        accuracy = {} if self.accuracy is None else self.accuracy.model_dump()
        values = {"latency_ms": self.latency_ms, "size_mb": self.size_mb}
        for name, value in accuracy.items():
            if isinstance(value, dict):
                values |= {name: value["difference"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
            else:
                values[name] = value
        return {f"{self.precision}_{name}": value for name, value in values.items() if value is not None}


class FormatChoice(BaseModel):
    """The precision that ships, and why the others do not.

    Attributes:
        precision: which.
        reason: in one line.
        refused: the reasons against each precision that is not inside the gate.
        measurements: what was measured.
    """

    model_config = ConfigDict(frozen=True)

    precision: NumericFormat
    reason: str
    refused: dict[NumericFormat, str]
    measurements: tuple[FormatMeasurement, ...]

    def figures(self) -> dict[str, float]:
        """All that was measured, of all precisions."""
        return {name: value for each in self.measurements for name, value in each.figures().items()}


def compare_answers(
    ours: Outcomes, rule: DecisionRule, fp32: Outcomes, fp32_rule: DecisionRule, cosines: NDArray[np.float32]
) -> Accuracy:
    """Compare the answers of a precision with fp32's to the same queries.

    Args:
        ours: its outcomes, enrolled queries and unknowns.
        rule: fitted to them.
        fp32: fp32's.
        fp32_rule: fitted to those.
        cosines: [q] between its embedding of each query and fp32's.

    Raises:
        ValueError: the queries are not the same, or lack enrolled ones or unknowns.
    """
    enrolled = fp32.enrolled
    if ours.names != fp32.names or not np.array_equal(ours.truth, fp32.truth) or len(cosines) != len(enrolled):
        raise ValueError("the two did not answer the same queries")
    if enrolled.all() or not enrolled.any():
        raise ValueError("enrolled queries and unknowns are needed")
    names = np.array(ours.names)

    def gap(first: NDArray[np.bool_], second: NDArray[np.bool_], among: NDArray[np.bool_]) -> Gap | None:
        try:
            return paired_gap(first[among], second[among], names[among].tolist())
        except DataError:
            return None

    named, fp32_named = (each.answers(fp32_rule) != UNKNOWN for each in (ours, fp32))
    return Accuracy(
        recall_at_1=float(ours.retrieved[enrolled].mean()),
        tpir=float(ours.right(rule)[enrolled].mean()),
        fpir=float(1 - ours.right(rule)[~enrolled].mean()),
        fp32_rule_tpir=float(ours.right(fp32_rule)[enrolled].mean()),
        fp32_rule_fpir=float(named[~enrolled].mean()),
        agreement=float((ours.found == fp32.found)[enrolled].mean()),
        recall_gap=gap(fp32.retrieved, ours.retrieved, enrolled),
        tpir_gap=gap(fp32.right(fp32_rule), ours.right(rule), enrolled),
        fp32_rule_tpir_gap=gap(fp32.right(fp32_rule), ours.right(fp32_rule), enrolled),
        fp32_rule_fpir_gap=gap(fp32_named, named, ~enrolled),
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
    )


def choose_format(measurements: Sequence[FormatMeasurement], config: NumericFormatConfig) -> FormatChoice:
    """The fastest precision inside the gate. fp32 is what the others are measured against, so it is always inside.

    Raises:
        ValueError: fp32 is not among the measurements, or a precision is there twice.
    """
    by_name = {each.precision: each for each in measurements}
    if "fp32" not in by_name or len(by_name) < len(measurements):
        raise ValueError("each precision is measured once, and fp32 among them")
    fp32 = by_name["fp32"]
    refused: dict[NumericFormat, str] = {}
    fastest = fp32
    for each in measurements:
        if each is fp32:
            continue
        if reasons := _reasons_against(each, fp32, config):
            refused[each.precision] = "; ".join(reasons)
        elif _latency(each) < _latency(fastest):
            fastest = each
    reason = _praise(fastest, fp32) if fastest is not fp32 else _by_default(refused)
    return FormatChoice(precision=fastest.precision, reason=reason, refused=refused, measurements=tuple(measurements))


def _reasons_against(ours: FormatMeasurement, fp32: FormatMeasurement, config: NumericFormatConfig) -> list[str]:
    """Why a precision may not ship; empty where it may. What could not be measured is a reason."""
    if ours.refused is not None:
        return [ours.refused]
    if ours.accuracy is None:
        return ["its answers were not measured"]
    accuracy, least, loss = ours.accuracy, config.least_queries, config.tpir_loss
    refitted = accuracy.tpir_gap
    found = [
        _worse("recall@1", accuracy.recall_gap, config.recall_loss, least),
        _worse("detection", accuracy.fp32_rule_tpir_gap, loss, least),
        _worse("false identification", accuracy.fp32_rule_fpir_gap, config.fpir_gain, least, rises=True),
        _too_low("detection by its own rule", None if refitted is None else refitted.difference, -loss),
        _too_low("agreement", accuracy.agreement, config.least_agreement),
        _too_slow(ours.latency_ms, fp32.latency_ms, config.least_speedup),
    ]
    return [reason for reason in found if reason is not None]


def _worse(name: str, gap: Gap | None, allowed: float, least: int, *, rises: bool = False) -> str | None:
    if gap is None:
        return f"{name} was not compared: queries of two classes or more are needed"
    if gap.pairs < least:
        return f"{gap.pairs} queries cannot tell {name}: {least} are needed"
    # Written so that what is not a number is refused too.
    if (gap.high if rises else -gap.low) <= allowed:
        return None
    return f"{name} {_signed(gap)}, and may {'rise' if rises else 'fall'} by {allowed:.3f}"


def _too_low(name: str, value: float | None, least: float) -> str | None:
    if value is None:
        return f"{name} was not compared"
    return None if value >= least else f"{name} {value:.3f}, at least {least:.3f} needed"


def _too_slow(ours: float | None, fp32: float | None, least: float) -> str | None:
    if ours is None or fp32 is None:
        return "latency was not measured"
    return None if fp32 >= least * ours else f"{ours:.2f} ms is not {least:g} times as fast as fp32's {fp32:.2f} ms"


def _latency(measurement: FormatMeasurement) -> float:
    return np.inf if measurement.latency_ms is None else measurement.latency_ms


def _praise(ours: FormatMeasurement, fp32: FormatMeasurement) -> str:
    accuracy = ours.accuracy
    if accuracy is None:
        raise ValueError("what was not measured is not chosen")
    return (
        f"{ours.precision}: {_latency(ours):.2f} ms where fp32 takes {_latency(fp32):.2f} ms, recall@1 "
        f"{_signed(accuracy.recall_gap)}, {accuracy.agreement:.3f} of the nearest classes are fp32's"
    )


def _by_default(refused: dict[NumericFormat, str]) -> str:
    others = ", ".join(f"{precision} is refused ({reason})" for precision, reason in refused.items())
    return f"fp32: {others or 'nothing else was tried'}"


def _signed(gap: Gap | None) -> str:
    return "not compared" if gap is None else f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
