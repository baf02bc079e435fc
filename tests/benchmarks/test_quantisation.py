"""A few sample pills through the benchmark of numeric formats, from the command line to the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import quantisation
from benchmarks.learning import Recipe
from discern.datasets.splits.config import SplitConfig
from discern.evaluation.numeric_format import FormatChoice, FormatMeasurement
from discern.learning.config import ModelConfig
from discern.sources.pills import PillsConfig
from tests.benchmarks import trials

# Half of the families are held out for validation and some for the test; half of those are unknowns.
PILLS = PillsConfig(families=24, siblings=1, photos_per_class=6, size=48, seed=7)
SPLITS = SplitConfig(seed=1, validation_share=0.5, test_share=0.3, unknown_share=0.5, shots=3)


def few(recipe: Recipe) -> Recipe:
    return trials.small(recipe).model_copy(update={"source": PILLS, "splits": SPLITS})


def test_every_net_has_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        quantisation, "nets", lambda recipe: {"tiny": recipe.student.model, "deep": recipe.trainings["teacher"].model}
    )
    figures = trials.run(quantisation, tmp_path, shrink=few)
    for net in ("tiny", "deep"):
        assert figures[f"{net}_chosen"] == "fp32"  # so few queries tell nothing
        for numeric_format in ("fp32", "int8"):
            assert figures[f"{net}_{numeric_format}_ms"] > 0
            assert figures[f"{net}_{numeric_format}_mb"] > 0
            trials.check_shares(figures, [f"{net}_{numeric_format}_recall_at_1", f"{net}_{numeric_format}_agreement"])
        assert figures[f"{net}_fp32_agreement"] == 1
        assert figures[f"{net}_fp16_ms"] is None or figures[f"{net}_fp16_ms"] > 0
    assert figures["tiny_int8_mb"] < figures["deep_int8_mb"] < figures["deep_fp32_mb"]


def test_the_nets_are_those_of_the_readme() -> None:
    named = quantisation.nets(quantisation.read_recipe("pills"))
    assert list(named) == ["resnet10t_half", "resnet18", "mobilenetv4_conv_small"]
    assert named["resnet10t_half"].backbone == "resnet10t"
    assert named["resnet10t_half"].options["channels"] == [32, 64, 128, 256]
    assert named["resnet18"] == ModelConfig(backbone="resnet18")


def test_what_was_not_measured_is_none() -> None:
    fp32 = FormatMeasurement(numeric_format="fp32", latency_ms=1.2345678)
    refused = FormatMeasurement(numeric_format="fp16", refused="there is no such provider")
    choice = FormatChoice(numeric_format="fp32", reason="", refused={}, measurements=(fp32, refused))
    assert quantisation.format_figures(choice) == {"fp32_ms": 1.23457, "fp16_ms": None, "chosen": "fp32"}
