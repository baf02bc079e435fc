from __future__ import annotations

import pytest

from discern.progress import bar


def test_the_work_comes_through_and_what_is_done_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(bar(iter("abc"), total=3, name="decoding", unit="photo")) == ["a", "b", "c"]
    shown = capfd.readouterr()
    assert "decoding: 100%" in shown.err
    assert "3/3" in shown.err
    assert shown.out == ""


def test_a_bar_goes_on_where_an_earlier_run_stood(capfd: pytest.CaptureFixture[str]) -> None:
    with bar(total=10, initial=6, name="teacher", unit="step") as progress:
        progress.update(4)
    shown = capfd.readouterr().err
    assert "6/10" in shown
    assert "10/10" in shown


def test_a_log_is_not_flooded(capfd: pytest.CaptureFixture[str]) -> None:
    list(bar(range(20_000), name="many"))
    assert capfd.readouterr().err.count("\r") < 5
