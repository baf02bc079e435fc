"""Time as it passed, and as it would pass where nothing else runs."""

from __future__ import annotations

import time

import pytest

from discern.use_cases.stopwatch import Stopwatch


def test_waiting_is_not_work() -> None:
    with Stopwatch() as watch:
        time.sleep(0.05)
    assert watch.wall >= 0.05
    assert watch.quiet() < 0.05


def test_work_is_shared_by_threads() -> None:
    watch = Stopwatch()
    watch.wall, watch.processor = 10.0, 6.0
    assert watch.quiet() == 6.0
    assert watch.quiet(threads=2) == 3.0
    watch.wall = 1.0
    assert watch.quiet() == 1.0


def test_an_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), Stopwatch():
        1 / 0  # noqa: B018
