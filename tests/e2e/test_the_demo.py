"""The demo on the tiny use case: it counts the device's answers and leaves its picture. Last, as it runs pipelines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from cli import demo
from discern.errors import DiscernError
from tests.e2e.conftest import CONFIGS, Workplace


@pytest.fixture
def tiny(loop: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setattr(demo, "CONFIGS", CONFIGS)
    monkeypatch.setattr(demo, "USE_CASE", "tiny")
    for name in ("ZENML_ACTIVE_STACK_ID", "ZENML_LOGGING_VERBOSITY"):
        monkeypatch.setenv(name, "")  # the demo sets them: to be undone afterwards
        monkeypatch.delenv(name)
    return loop


def test_the_demo_tells_what_it_found(
    tiny: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert demo.main(["--json", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    dataset = tiny.output("data", "dataset_version")
    queries = dataset.select(split="test", role="query")
    assert figures["enrolled_queries"] + figures["unknown_queries"] == len(queries)
    assert 0 < figures["enrolled_queries"] < len(queries)
    assert 0 <= figures["unseen_tpir"] <= figures["unseen_recall_at_1"] <= 1
    assert 0 <= figures["tnir"] <= 1
    with Image.open(tiny.home / "demo" / "answers.png") as picture:
        assert picture.width > 400
    told = capsys.readouterr().out
    assert "nearest class right" in told
    assert str(tiny.home / "reports") in told


def test_a_failure_on_the_device_is_told(tiny: Workplace) -> None:
    with pytest.raises(DiscernError, match="cannot be read"):
        demo._device(tiny.home, "identify", str(tiny.home / "none.jpg"))


def test_figures_of_missing_queries_are_an_error(tiny: Workplace) -> None:
    dataset = tiny.output("data", "dataset_version")
    with pytest.raises(DiscernError, match="no enrolled or no unknown queries"):
        demo._result(dataset, [], [], 1.0, 1.0)
