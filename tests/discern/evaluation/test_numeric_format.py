from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from discern.evaluation.numeric_format import (
    Accuracy,
    FormatMeasurement,
    NumericFormat,
    NumericFormatConfig,
    choose_format,
    compare_answers,
)
from discern.evaluation.retrieval import UNKNOWN, SearchResults
from discern.evaluation.significance import Gap
from edge_runtime.core.identify import DecisionRule
from tests.discern.evaluation.cases import results, subset

CONFIG = NumericFormatConfig(
    recall_loss=0.02, tpir_loss=0.03, fpir_gain=0.04, least_agreement=0.9, least_queries=50, least_speedup=1.25
)
NAN = float("nan")


def gap(low: float, high: float, pairs: int = 100) -> Gap:
    middle = (low + high) / 2
    return Gap(difference=middle, low=low, high=high, disagreement=0.05, mcnemar_p=1.0, pairs=pairs)


def accuracy(**changes: Any) -> Accuracy:
    """Inside every limit of CONFIG, and at some of them to the last digit."""
    good: dict[str, Any] = {
        "recall_at_1": 0.95,
        "tpir": 0.9,
        "fpir": 0.05,
        "fp32_rule_tpir": 0.9,
        "fp32_rule_fpir": 0.06,
        "agreement": 0.9,
        "recall_gap": gap(-0.02, 0.01),
        "tpir_gap": gap(-0.06, 0.0),
        "fp32_rule_tpir_gap": gap(-0.03, 0.02),
        "fp32_rule_fpir_gap": gap(-0.01, 0.04),
        "cosine_mean": 0.5,
        "cosine_min": -0.5,
    }
    return Accuracy(**good | changes)


def measured(
    numeric_format: NumericFormat = "int8", latency_ms: float | None = 0.5, **changes: Any
) -> FormatMeasurement:
    return FormatMeasurement(
        numeric_format=numeric_format, latency_ms=latency_ms, size_mb=1.0, accuracy=accuracy(**changes)
    )


FP32 = measured("fp32", 1.0, agreement=1.0)


def test_what_is_faster_and_inside_every_limit_ships() -> None:
    choice = choose_format([FP32, measured()], CONFIG)
    assert choice.numeric_format == "int8"
    assert choice.refused == {}
    assert choice.reason == (
        "int8: 0.50 ms where fp32 takes 1.00 ms, recall@1 -0.005 [-0.020, +0.010], "
        "0.900 of the nearest classes are fp32's"
    )


def test_of_several_inside_the_fastest_ships() -> None:
    assert choose_format([FP32, measured("fp16", 0.3), measured("int8", 0.4)], CONFIG).numeric_format == "fp16"
    assert choose_format([FP32, measured("fp16", 0.4), measured("int8", 0.3)], CONFIG).numeric_format == "int8"
    assert choose_format([measured("int8", 0.3), measured("fp16", 0.4), FP32], CONFIG).numeric_format == "int8"


def test_cosine_decides_nothing() -> None:
    assert choose_format([FP32, measured(cosine_mean=-1.0, cosine_min=-1.0)], CONFIG).numeric_format == "int8"


REFUSALS: Mapping[str, tuple[dict[str, Any], str]] = {
    "recall": ({"recall_gap": gap(-0.0201, 0.01)}, r"recall@1 -0.005 \[-0.020, \+0.010\], and may fall by 0.020"),
    "detection": ({"fp32_rule_tpir_gap": gap(-0.0301, 0.02)}, r"TPIR .*, and may fall by 0.030"),
    "own rule": ({"tpir_gap": gap(-0.0602, 0.0)}, r"TPIR under its own rule -0.030, at least -0.030 needed"),
    "unknowns": ({"fp32_rule_fpir_gap": gap(-0.01, 0.0401)}, r"FPIR .* may rise by 0.040"),
    "agreement": ({"agreement": 0.8999}, "agreement 0.900, at least 0.900 needed"),
    "speed": ({"latency_ms": 0.801}, "0.80 ms is not 1.25 times as fast as fp32's 1.00 ms"),
    "few queries": ({"recall_gap": gap(0, 0, 49)}, "49 queries are too few to judge recall@1: 50 are needed"),
    "few detections": ({"fp32_rule_tpir_gap": gap(0, 0, 49)}, "49 queries are too few to judge TPIR"),
    "few unknowns": ({"fp32_rule_fpir_gap": gap(0, 0, 49)}, "49 queries are too few to judge FPIR"),
    "recall unknown": ({"recall_gap": None}, "recall@1 was not compared: queries of two classes or more are needed"),
    "detection unknown": ({"fp32_rule_tpir_gap": None}, "TPIR was not compared"),
    "own rule unknown": ({"tpir_gap": None}, "TPIR under its own rule was not compared"),
    "unknowns unknown": ({"fp32_rule_fpir_gap": None}, "FPIR was not compared"),
    "latency unknown": ({"latency_ms": None}, "latency was not measured"),
    "no number": ({"agreement": NAN}, "agreement nan"),
    "recall no number": ({"recall_gap": gap(NAN, 0)}, "recall@1"),
    "own rule no number": ({"tpir_gap": gap(NAN, 0)}, "TPIR under its own rule nan"),
    "unknowns no number": ({"fp32_rule_fpir_gap": gap(0, NAN)}, "FPIR"),
    "latency no number": ({"latency_ms": NAN}, "nan ms is not"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_each_limit_refuses_by_itself_and_fp32_ships(kind: str) -> None:
    changes, reason = REFUSALS[kind]
    choice = choose_format([FP32, measured(**changes)], CONFIG)
    assert choice.numeric_format == "fp32"
    assert list(choice.refused) == ["int8"]
    assert re.search(reason, choice.refused["int8"])
    assert ";" not in choice.refused["int8"]
    assert choice.reason == f"fp32: int8 is refused ({choice.refused['int8']})"


def test_what_could_not_be_built_or_measured_is_refused_however_good_the_rest_looks() -> None:
    unbuilt = measured().model_copy(update={"refused": "there is no such provider"})
    unanswered = measured("fp16").model_copy(update={"accuracy": None})
    choice = choose_format([FP32, unbuilt, unanswered], CONFIG)
    assert choice.numeric_format == "fp32"
    assert choice.refused["int8"] == "there is no such provider"
    assert choice.refused["fp16"].startswith("its answers were not measured")
    assert "int8 is refused (there is no such provider), fp16 is refused" in choice.reason


def test_without_fp32s_latency_nothing_is_known_to_be_faster() -> None:
    choice = choose_format([FP32.model_copy(update={"latency_ms": None}), measured()], CONFIG)
    assert (choice.numeric_format, choice.refused["int8"]) == ("fp32", "latency was not measured")


def test_all_reasons_are_told() -> None:
    reason = choose_format([FP32, measured(latency_ms=2.0, agreement=0.1)], CONFIG).refused["int8"]
    assert reason == "agreement 0.100, at least 0.900 needed; 2.00 ms is not 1.25 times as fast as fp32's 1.00 ms"


def test_fp32_alone_ships() -> None:
    assert choose_format([FP32], CONFIG).reason == "fp32: nothing else was tried"


@pytest.mark.parametrize("given", [[], [measured()], [FP32, FP32], [FP32, measured(), measured()]])
def test_choose_format_wants_fp32_and_each_format_once(given: list[FormatMeasurement]) -> None:
    with pytest.raises(ValueError, match="measured once, and fp32 among them"):
        choose_format(given, CONFIG)


@pytest.mark.parametrize(
    "setting",
    [{"variants": ["fp32"]}, {"variants": ["int4"]}, {"recall_loss": -0.1}, {"least_speedup": 0.9}, {"try": []}],
)
def test_settings_that_make_no_sense_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NumericFormatConfig.model_validate(setting)


def test_figures_hold_what_was_measured_and_nothing_else() -> None:
    figures = measured(recall_gap=None).figures()
    assert figures["latency_ms"] == 0.5
    assert figures["agreement"] == 0.9
    assert (figures["tpir_gap_low"], figures["tpir_gap_high"]) == (-0.06, 0.0)
    assert figures["tpir_gap"] == pytest.approx(-0.03)
    assert not any(name.startswith("recall_gap") for name in figures)
    assert all(isinstance(value, float) for value in figures.values())
    assert FormatMeasurement(numeric_format="fp16", refused="no").figures() == {}


def test_fp32_is_not_told_how_it_compares_with_itself() -> None:
    assert set(FP32.distinct_figures()) == {"latency_ms", "size_mb", "recall_at_1", "tpir", "fpir"}
    assert measured().distinct_figures() == measured().figures()


def test_the_choice_is_told_in_lines() -> None:
    nothing_else = choose_format([FP32], CONFIG)
    assert nothing_else.lines() == ["It ships as fp32: nothing else was tried."]
    refused = choose_format([FP32, FormatMeasurement(numeric_format="fp16", refused="no such kernel")], CONFIG)
    assert refused.lines() == ["It ships as fp32.", "  fp16 is refused: no such kernel"]
    faster = choose_format([FP32, measured()], CONFIG)
    assert faster.lines() == [f"It ships as {faster.reason}."]
    assert faster.reason.startswith("int8: ")


# Classes 0 and 1 with two queries each, then the unknowns; (truth, found, best cosine).
TRUTH = (0, 0, 1, 1, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
FP32_RULE, INT8_RULE = DecisionRule(0.5, 0.0, 0.25), DecisionRule(0.55, 0.0, 0.25)


def two(best_class: tuple[int, ...], best: tuple[float, ...]) -> SearchResults:
    made = results(TRUTH, best_class, best)
    labels = (*made.query_labels[:4], "unknown a", "unknown a", "unknown b", "unknown b")
    return replace(made, query_labels=labels)


BEFORE = two((0, 0, 1, 1, 0, 0, 1, 1), (0.9, 0.8, 0.7, 0.4, 0.6, 0.1, 0.2, 0.3))
AFTER = two((0, 1, 1, 2, 1, 0, 1, 1), (0.9, 0.6, 0.52, 0.4, 0.6, 0.51, 0.2, 0.3))


def test_answers_are_compared_as_by_hand() -> None:
    cosines = np.array([1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.9, 1.0], np.float32)
    found = compare_answers(AFTER, INT8_RULE, BEFORE, FP32_RULE, cosines)
    assert found.recall_at_1 == 0.5  # 0 and 1, of 0, 1, 1 and 2
    assert found.tpir == 0.25  # 0.52 is below int8's own threshold
    assert found.fp32_rule_tpir == 0.5
    assert found.fpir == 0.25  # 0.6
    assert found.fp32_rule_fpir == 0.5  # and 0.51
    assert found.agreement == 0.5  # unknowns do not count
    assert found.recall_gap is not None
    assert (found.recall_gap.difference, found.recall_gap.pairs) == (-0.5, 4)
    assert found.tpir_gap is not None
    assert found.tpir_gap.difference == 0.25 - 0.75  # fp32 with its own rule detects three
    assert found.fp32_rule_tpir_gap is not None
    assert found.fp32_rule_tpir_gap.difference == 0.5 - 0.75
    assert found.fp32_rule_fpir_gap is not None
    assert (found.fp32_rule_fpir_gap.difference, found.fp32_rule_fpir_gap.pairs) == (0.25, 4)
    # Two draws of two unknowns: their classes gain 1/2 and 0, so the bootstrap sees 0, 1/4 and 1/2.
    assert (found.fp32_rule_fpir_gap.low, found.fp32_rule_fpir_gap.high) == (0.0, 0.5)
    assert found.cosine_mean == pytest.approx(0.925)
    assert found.cosine_min == 0.5


def test_fp32_against_itself_loses_nothing() -> None:
    found = compare_answers(BEFORE, FP32_RULE, BEFORE, FP32_RULE, np.ones(8, np.float32))
    assert found.agreement == 1
    for each in (found.recall_gap, found.tpir_gap, found.fp32_rule_tpir_gap, found.fp32_rule_fpir_gap):
        assert each is not None
        assert (each.low, each.difference, each.high) == (0, 0, 0)


def test_queries_of_one_class_give_no_interval_and_hence_no_pass() -> None:
    one_class = subset(BEFORE, np.array([True, True, False, False, True, True, False, False]))
    found = compare_answers(one_class, FP32_RULE, one_class, FP32_RULE, np.ones(4, np.float32))
    gaps = (found.recall_gap, found.tpir_gap, found.fp32_rule_tpir_gap, found.fp32_rule_fpir_gap)
    assert gaps == (None,) * 4
    int8 = FormatMeasurement(numeric_format="int8", latency_ms=0.1, accuracy=found)
    assert choose_format([FP32, int8], CONFIG).numeric_format == "fp32"


def test_answers_to_other_queries_are_not_compared() -> None:
    fewer = subset(BEFORE, np.arange(8) != 0)
    with pytest.raises(ValueError, match="the same queries"):
        compare_answers(fewer, FP32_RULE, BEFORE, FP32_RULE, np.ones(8, np.float32))
    with pytest.raises(ValueError, match="the same queries"):
        compare_answers(BEFORE, FP32_RULE, BEFORE, FP32_RULE, np.ones(7, np.float32))
    for chosen in (BEFORE.enrolled, ~BEFORE.enrolled):
        part = subset(BEFORE, chosen)
        with pytest.raises(ValueError, match="unknowns are needed"):
            compare_answers(part, FP32_RULE, part, FP32_RULE, np.ones(4, np.float32))
