"""One way to show that long work goes on: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm  # type: ignore[import-untyped]

LOG_INTERVAL = 10.0  # seconds between lines where there is no terminal


def bar(
    work: Iterable[Any] | None = None, *, total: int | None = None, initial: int = 0, name: str, unit: str = "it"
) -> tqdm:
    """A progress bar over `work`, or one to be advanced by hand; of several processes the first one alone shows it.

    Args:
        work: what is iterated over, or None.
        total: how many there are, where `work` cannot say.
        initial: how many were done before.
        name: what is being done.
        unit: what is counted.
    """
    interval = 0.2 if sys.stderr.isatty() else LOG_INTERVAL
    return tqdm(
        work,
        total=total,
        initial=initial,
        desc=name,
        unit=unit,
        mininterval=interval,
        maxinterval=interval,
        dynamic_ncols=True,
        delay=1.0,  # what is over at once shows nothing
        disable=os.environ.get("RANK", "0") != "0",  # set by `discern.learning.distributed.launch` and torchrun
    )
