"""The demo on the tiny use case: it counts the device's answers and leaves its picture. Last, as it runs pipelines."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from cli import demo_loop
from cli.main import main
from discern.errors import DiscernError
from tests.e2e.conftest import CONFIGS, Workplace


@pytest.fixture
def tiny(loop: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    for name in ("ZENML_ACTIVE_STACK_ID", "ZENML_LOGGING_VERBOSITY"):
        monkeypatch.setenv(name, "")  # the demo sets them: to be undone afterwards
        monkeypatch.delenv(name)
    return loop


def test_the_demo_tells_what_it_found(
    tiny: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["demo", "--json", "--configs", str(CONFIGS)]) == 0
    written = capsys.readouterr()
    figures = json.loads(written.out)
    dataset = tiny.output("data", "dataset_version")
    enrolled = dataset.select(split="test", role="gallery").labels
    assert figures["enrolled_queries"] == len(dataset.select(split="test", role="query", labels=enrolled))
    assert figures["unknown_queries"] == demo_loop.UNKNOWN_PILLS * demo_loop.PHOTOS_OF_UNKNOWN
    assert set(dataset.labels).isdisjoint(
        label for label, counts in figures["by_class"].items() if not counts["enrolled"]
    )
    assert 0 <= figures["unseen_tpir"] <= figures["unseen_recall_at_1"] <= 1
    assert 0 <= figures["tnir"] <= 1
    by_class = figures["by_class"].values()
    for enrolled, queries in ((True, "enrolled_queries"), (False, "unknown_queries")):
        assert sum(counts["queries"] for counts in by_class if counts["enrolled"] == enrolled) == figures[queries]
    right = sum(counts["answered_right"] for counts in by_class if counts["enrolled"])
    assert right == round(figures["unseen_tpir"] * figures["enrolled_queries"])
    refused = sum(counts["answered_right"] for counts in by_class if not counts["enrolled"])
    assert refused == round(figures["tnir"] * figures["unknown_queries"])
    with Image.open(tiny.home / "demo" / "answers.png") as picture:
        assert picture.width > 400
    assert "nearest class right" in written.err
    assert str(tiny.home / "reports") in written.err


def test_a_failure_on_the_device_is_told(tiny: Workplace) -> None:
    with pytest.raises(DiscernError, match="cannot be read"):
        demo_loop._device(tiny.home, "identify", str(tiny.home / "none.jpg"))


def test_figures_of_missing_queries_are_an_error(tiny: Workplace) -> None:
    dataset = tiny.output("data", "dataset_version")
    with pytest.raises(DiscernError, match="no enrolled queries"):
        demo_loop._result(dataset, [], [], 1.0, 1.0)
