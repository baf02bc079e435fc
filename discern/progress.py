"""One way to show that long work goes on: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm  # type: ignore[import-untyped]

LOG_INTERVAL = 10.0  # seconds between lines where there is no terminal
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{rate_fmt}, {left}{postfix}]"
LINE = "{desc}: {n_fmt} of {total_fmt}, {rate_fmt}, {left}{postfix}"


def bar(
    work: Iterable[Any] | None = None, *, total: int | None = None, initial: int = 0, name: str, unit: str = "it"
) -> tqdm:
    """A progress bar over `work`, or one to be advanced by hand; of several processes the first one alone shows it.

    It tells how much is done, how fast, and about how long the rest takes.

    Args:
        work: what is iterated over, or None.
        total: how many there are, where `work` cannot say.
        initial: how many were done before.
        name: what is being done.
        unit: what is counted.
    """
    has_terminal = sys.stderr.isatty()
    interval = 0.2 if has_terminal else LOG_INTERVAL
    return _Bar(
        work,
        total=total,
        initial=initial,
        desc=name,
        unit=unit,
        mininterval=interval,
        maxinterval=interval,
        file=sys.stderr if has_terminal else _Lines(sys.stderr),
        bar_format=BAR if has_terminal else LINE,
        dynamic_ncols=has_terminal,
        delay=1.0,  # what is over at once shows nothing
        disable=os.environ.get("RANK", "0") != "0",  # set by `discern.learning.distributed.launch` and torchrun
    )


def duration(seconds: float) -> str:
    """Return a time as people say it: `40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


class _Bar(tqdm):
    """tqdm's bar, which can tell the time left in words."""

    @property
    def format_dict(self) -> dict[str, Any]:
        """The values that a format may name."""
        values: dict[str, Any] = super().format_dict
        return values | {"left": _left(values)}


def _left(values: dict[str, Any]) -> str:
    """Return how long the rest takes, or took; by the mean rate so far, as the newest would leap."""
    done, elapsed = values["n"] - values["initial"], values["elapsed"]
    if values["total"] is not None and values["n"] >= values["total"]:
        return f"took {duration(elapsed)}"
    if values["total"] is None or done <= 0:
        return f"after {duration(elapsed)}"
    return f"about {duration((values['total'] - values['n']) * elapsed / done)} left"


class _Lines:
    """A log to which tqdm writes: each of its texts becomes a line, in place of one that is written over."""

    def __init__(self, log: TextIO) -> None:
        self._log = log
        self._told = ""  # how much was done, of the last line

    def write(self, text: str) -> None:
        """Write a line, without tqdm's carriage return and padding, unless nothing more is done than in the last."""
        line = " ".join(text.split())
        done, _, _ = line.partition(",")
        if done not in {"", self._told}:
            self._log.write(line + "\n")
            self._told = done

    def flush(self) -> None:
        """Hand on what was written."""
        self._log.flush()
