from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from discern import progress
from discern.progress import bar, duration

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = """
import time
from discern.progress import bar
for _ in bar(range(12), name="teacher", unit="step"):
    time.sleep(0.1)
"""


def slow(steps: int) -> Iterator[int]:
    """Work that takes a little over the second after which it shows."""
    for step in range(steps):
        time.sleep(1.2 / steps)
        yield step


def test_long_work_says_what_is_done(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.01)
    assert list(bar(slow(12), total=12, name="decoding", unit="photo")) == list(range(12))
    shown = capfd.readouterr()
    lines = shown.err.splitlines()
    assert re.fullmatch(r"decoding: \d+ of 12, [\d.]+photo/s, about 1 s left", lines[0])
    assert re.fullmatch(r"decoding: 12 of 12, [\d.]+photo/s, took 1 s", lines[-1])
    assert len(set(lines)) == len(lines)
    assert "\r" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (89.4, "89 s"), (90, "2 min"), (1224, "20 min"), (3576, "1 h 0 min"), (12_000, "3 h 20 min")],
)
def test_times_are_told_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_on_a_terminal_a_bar_tells_how_long_it_still_takes() -> None:
    terminal, other_end = os.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stderr=other_end, cwd=REPOSITORY):
        os.close(other_end)
        shown = _read(terminal)
    os.close(terminal)
    assert re.search(r"\rteacher: +\d+%\|.*\| \d+/12 \[ *[\d.]+step/s, about 1 s left\]", shown)
    assert "12/12" in shown
    assert "took 1 s" in shown


def _read(terminal: int) -> str:
    """Return what a process writes to a terminal until it ends, which reads as an error."""
    parts = []
    with suppress(OSError):
        while part := os.read(terminal, 1024):
            parts.append(part)
    return b"".join(parts).decode()


def test_a_bar_goes_on_where_an_earlier_run_stood(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.01)
    with bar(total=18, initial=6, name="teacher", unit="step") as shown:
        for _ in slow(12):
            shown.update(1)
    lines = capfd.readouterr().err
    assert "18 of 18" in lines
    assert " 1 of 18" not in lines


def test_work_that_is_over_at_once_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(bar(iter("abc"), total=3, name="decoding")) == ["a", "b", "c"]
    list(bar(range(20_000), name="many"))
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_a_log_is_not_flooded(capfd: pytest.CaptureFixture[str]) -> None:
    list(bar(slow(200), total=200, name="many"))
    assert capfd.readouterr().err.count("\n") < 3


@pytest.mark.parametrize(("rank", "shown"), [("0", True), ("1", False)])
def test_of_several_processes_the_first_alone_shows_a_bar(
    rank: str, shown: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.01)
    monkeypatch.setenv("RANK", rank)
    assert list(bar(slow(12), total=12, name="decoding")) == list(range(12))
    assert ("decoding" in capfd.readouterr().err) == shown
