from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from discern import progress
from discern.progress import bar


def slow(steps: int) -> Iterator[int]:
    """Work that takes a little over the second after which it shows."""
    for step in range(steps):
        time.sleep(1.2 / steps)
        yield step


def test_long_work_says_what_is_done(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.01)
    assert list(bar(slow(12), total=12, name="decoding", unit="photo")) == list(range(12))
    shown = capfd.readouterr()
    assert "decoding: 100%" in shown.err
    assert "12/12" in shown.err
    assert shown.out == ""


def test_a_bar_goes_on_where_an_earlier_run_stood(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.01)
    with bar(total=18, initial=6, name="teacher", unit="step") as shown:
        for _ in slow(12):
            shown.update(1)
    lines = capfd.readouterr().err
    assert "18/18" in lines
    assert "1/18" not in lines.replace("11/18", "")


def test_work_that_is_over_at_once_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(bar(iter("abc"), total=3, name="decoding")) == ["a", "b", "c"]
    list(bar(range(20_000), name="many"))
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_a_log_is_not_flooded(capfd: pytest.CaptureFixture[str]) -> None:
    list(bar(slow(200), total=200, name="many"))
    assert capfd.readouterr().err.count("\r") < 3


@pytest.mark.parametrize(("rank", "shown"), [("0", True), ("1", False)])
def test_of_several_processes_the_first_alone_shows_a_bar(
    rank: str, shown: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.01)
    monkeypatch.setenv("RANK", rank)
    assert list(bar(slow(12), total=12, name="decoding")) == list(range(12))
    assert ("decoding" in capfd.readouterr().err) == shown
