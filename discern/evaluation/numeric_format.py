"""Choose the numeric format that ships: on the machine that builds the release, the fastest that answers as fp32 does.

Answers decide. The distance from fp32's embeddings is reported alone: embeddings that moved may still have the same
neighbours, and embeddings that hardly moved may not, where classes lie close. Pure: measurements in, choice out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.evaluation.retrieval import UNKNOWN, SearchResults
from discern.evaluation.significance import Gap, paired_gap
from edge_runtime.core.identify import DecisionRule

Variant = Literal["fp16", "int8"]
NumericFormat = Literal["fp32", "fp16", "int8"]


class NumericFormatConfig(BaseModel):
    """The formats that are tried besides fp32, and what they may lose. Losses are shares of the validation queries.

    A loss of recall@1, and of TPIR and FPIR under fp32's rule, is judged by the far end of its 95 % interval over
    classes, so that few queries do not pass by luck. Under the rule that is fitted to the format, TPIR is judged by the
    loss alone: a threshold that a handful of unknowns set moves by more than an interval leaves room for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    variants: tuple[Variant, ...] = Field(default=("fp16", "int8"), description="tried besides fp32; empty: none")
    recall_loss: float = Field(default=0.02, ge=0, lt=1, description="recall@1 may be worse by at most this")
    tpir_loss: float = Field(
        default=0.04,
        ge=0,
        lt=1,
        description="TPIR may be worse by at most this, under fp32's rule and the format's own",
    )
    fpir_gain: float = Field(
        default=0.03, ge=0, lt=1, description="FPIR under fp32's rule may be higher by at most this"
    )
    least_agreement: float = Field(
        default=0.95, ge=0, le=1, description="share of the enrolled queries whose nearest class must be fp32's"
    )
    least_queries: int = Field(
        default=50, ge=2, description="with fewer enrolled queries or unknowns no loss can be measured, and fp32 ships"
    )
    least_speedup: float = Field(default=1.1, ge=1, description="how many times as fast as fp32 a format must be")
    calibration_photos: int = Field(default=256, ge=1, le=10_000, description="training photos that calibrate int8")
    repetitions: int = Field(default=100, ge=10, description="timed calls of each format")


class Accuracy(BaseModel):
    """The answers of one format to the validation queries. Shares between 0 and 1; a gap is the format's less fp32's.

    Attributes:
        recall_at_1: share of the enrolled queries whose nearest class is right.
        tpir: share of the enrolled queries that get the right name, under the rule fitted to this format.
        fpir: share of the unknowns that get a name, under that rule.
        fp32_rule_tpir: TPIR under the rule that is fitted to fp32.
        fp32_rule_fpir: FPIR under the rule that is fitted to fp32.
        agreement: share of the enrolled queries whose nearest class is also fp32's.
        recall_gap: gap of recall@1; every gap is None where the queries are of fewer than two classes.
        tpir_gap: gap of TPIR, each under its own rule.
        fp32_rule_tpir_gap: gap of TPIR, both under fp32's rule.
        fp32_rule_fpir_gap: gap of FPIR, both under fp32's rule.
        cosine_mean: mean cosine between its embeddings of the queries and fp32's; for information.
        cosine_min: the lowest of these cosines.
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


_OWN = ("latency_ms", "size_mb", "recall_at_1", "tpir", "fpir")  # figures of a format that need no other one


class FormatMeasurement(BaseModel):
    """One numeric format on this machine's execution provider.

    Attributes:
        numeric_format: the format.
        latency_ms: median time of one photo on one thread, milliseconds; None where it was not measured.
        size_mb: size of the ONNX file, MB; None where it was not measured.
        accuracy: its answers; None where they were not measured, as of one class, which has no unknown.
        refused: why it could not be built or measured; None where it could.
    """

    model_config = ConfigDict(frozen=True)

    numeric_format: NumericFormat
    latency_ms: float | None = None
    size_mb: float | None = None
    accuracy: Accuracy | None = None
    refused: str | None = None

    def figures(self) -> dict[str, float]:
        """Return what was measured, by name, as in `size_mb`."""
        values: dict[str, float | None] = {"latency_ms": self.latency_ms, "size_mb": self.size_mb}
        for name, value in self.accuracy or ():
            if isinstance(value, Gap):
                values |= {name: value.difference, f"{name}_low": value.low, f"{name}_high": value.high}
            else:
                values[name] = value
        return {name: value for name, value in values.items() if value is not None}

    def distinct_figures(self) -> dict[str, float]:
        """Return the same, of fp32 without what compares it with fp32."""
        figures = self.figures()
        return {name: figures[name] for name in _OWN if name in figures} if self.numeric_format == "fp32" else figures


class FormatChoice(BaseModel):
    """The numeric format that ships, and the reasons against the rest.

    Attributes:
        numeric_format: the format that ships.
        reason: why, in one line.
        refused: the reasons against each format that is not inside the gate.
        measurements: what was measured, a format each.
    """

    model_config = ConfigDict(frozen=True)

    numeric_format: NumericFormat
    reason: str
    refused: dict[NumericFormat, str]
    measurements: tuple[FormatMeasurement, ...]

    def lines(self) -> list[str]:
        """Return what ships, and why each other format that was tried does not, a line each."""
        ships = "fp32" if self.refused and self.numeric_format == "fp32" else self.reason
        return [f"It ships as {ships}.", *(f"  {name} is refused: {reason}" for name, reason in self.refused.items())]


def compare_answers(
    variant: SearchResults,
    rule: DecisionRule,
    fp32: SearchResults,
    fp32_rule: DecisionRule,
    cosines: NDArray[np.float32],
) -> Accuracy:
    """Compare the answers of a format with fp32's to the same queries.

    Args:
        variant: results of the format, enrolled queries and unknowns.
        rule: fitted to these results.
        fp32: results of fp32.
        fp32_rule: fitted to fp32's results.
        cosines: [q] between the two embeddings of each query.

    Raises:
        ValueError: the queries are not the same, or lack enrolled ones or unknowns.
    """
    enrolled = fp32.enrolled
    same = variant.query_labels == fp32.query_labels and np.array_equal(variant.truth, fp32.truth)
    if not same or len(cosines) != len(enrolled):
        raise ValueError("the two did not answer the same queries")
    if enrolled.all() or not enrolled.any():
        raise ValueError("enrolled queries and unknowns are needed")
    labels = np.array(fp32.query_labels)
    identified = variant.right(rule)
    named, fp32_named = variant.answers(fp32_rule) != UNKNOWN, fp32.answers(fp32_rule) != UNKNOWN
    return Accuracy(
        recall_at_1=float(variant.retrieved[enrolled].mean()),
        tpir=float(identified[enrolled].mean()),
        fpir=float(1 - identified[~enrolled].mean()),
        fp32_rule_tpir=float(variant.right(fp32_rule)[enrolled].mean()),
        fp32_rule_fpir=float(named[~enrolled].mean()),
        agreement=float((variant.best_class == fp32.best_class)[enrolled].mean()),
        recall_gap=_gap(fp32.retrieved, variant.retrieved, labels, enrolled),
        tpir_gap=_gap(fp32.right(fp32_rule), identified, labels, enrolled),
        fp32_rule_tpir_gap=_gap(fp32.right(fp32_rule), variant.right(fp32_rule), labels, enrolled),
        fp32_rule_fpir_gap=_gap(fp32_named, named, labels, ~enrolled),
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
    )


def _gap(
    fp32: NDArray[np.bool_], variant: NDArray[np.bool_], labels: NDArray[np.str_], among: NDArray[np.bool_]
) -> Gap | None:
    try:
        return paired_gap(fp32[among], variant[among], labels[among].tolist())
    except DataError:  # queries of one class
        return None


def choose_format(measurements: Sequence[FormatMeasurement], config: NumericFormatConfig) -> FormatChoice:
    """Choose the fastest format inside the gate; fp32 is what the rest is measured against, so it is always inside.

    Raises:
        ValueError: fp32 is not among the measurements, or a format is there twice.
    """
    by_name = {measurement.numeric_format: measurement for measurement in measurements}
    if "fp32" not in by_name or len(by_name) < len(measurements):
        raise ValueError("each numeric format is measured once, and fp32 among them")
    fp32 = by_name["fp32"]
    refused: dict[NumericFormat, str] = {}
    fastest = fp32
    for measurement in measurements:
        if measurement is fp32:
            continue
        if reasons := _reasons_against(measurement, fp32, config):
            refused[measurement.numeric_format] = "; ".join(reasons)
        elif _latency(measurement) < _latency(fastest):
            fastest = measurement
    reason = _why_fp32(refused) if fastest is fp32 else _why_faster(fastest, fp32)
    return FormatChoice(
        numeric_format=fastest.numeric_format, reason=reason, refused=refused, measurements=tuple(measurements)
    )


def _reasons_against(variant: FormatMeasurement, fp32: FormatMeasurement, config: NumericFormatConfig) -> list[str]:
    """Return why a format may not ship; nothing where it may. What could not be measured is a reason."""
    if variant.refused is not None:
        return [variant.refused]
    if variant.accuracy is None:
        return ["its answers were not measured, which needs queries of enrolled classes and of unknowns"]
    accuracy, least = variant.accuracy, config.least_queries
    own_rule = accuracy.tpir_gap
    checks = [
        _worse("recall@1", accuracy.recall_gap, config.recall_loss, least),
        _worse("TPIR", accuracy.fp32_rule_tpir_gap, config.tpir_loss, least),
        _worse("FPIR", accuracy.fp32_rule_fpir_gap, config.fpir_gain, least, rises=True),
        _too_low("TPIR under its own rule", None if own_rule is None else own_rule.difference, -config.tpir_loss),
        _too_low("agreement", accuracy.agreement, config.least_agreement),
        _too_slow(variant.latency_ms, fp32.latency_ms, config.least_speedup),
    ]
    return [reason for reason in checks if reason is not None]


def _worse(name: str, gap: Gap | None, allowed: float, least: int, *, rises: bool = False) -> str | None:
    if gap is None:
        return f"{name} was not compared: queries of two classes or more are needed"
    if gap.pairs < least:
        return f"{gap.pairs} queries are too few to judge {name}: {least} are needed"
    # Written so that what is not a number is refused too.
    if (gap.high if rises else -gap.low) <= allowed:
        return None
    return f"{name} {_signed(gap)}, and may {'rise' if rises else 'fall'} by {allowed:.3f}"


def _too_low(name: str, value: float | None, least: float) -> str | None:
    if value is None:
        return f"{name} was not compared"
    return None if value >= least else f"{name} {value:.3f}, at least {least:.3f} needed"


def _too_slow(variant: float | None, fp32: float | None, least: float) -> str | None:
    if variant is None or fp32 is None:
        return "latency was not measured"
    return (
        None if fp32 >= least * variant else f"{variant:.2f} ms is not {least:g} times as fast as fp32's {fp32:.2f} ms"
    )


def _latency(measurement: FormatMeasurement) -> float:
    return np.inf if measurement.latency_ms is None else measurement.latency_ms


def _why_faster(variant: FormatMeasurement, fp32: FormatMeasurement) -> str:
    accuracy = variant.accuracy
    if accuracy is None:
        raise ValueError("what was not measured is not chosen")
    return (
        f"{variant.numeric_format}: {_latency(variant):.2f} ms where fp32 takes {_latency(fp32):.2f} ms, recall@1 "
        f"{_signed(accuracy.recall_gap)}, {accuracy.agreement:.3f} of the nearest classes are fp32's"
    )


def _why_fp32(refused: dict[NumericFormat, str]) -> str:
    reasons = ", ".join(f"{numeric_format} is refused ({reason})" for numeric_format, reason in refused.items())
    return f"fp32: {reasons or 'nothing else was tried'}"


def _signed(gap: Gap | None) -> str:
    return "not compared" if gap is None else f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
