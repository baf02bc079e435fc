"""Checks side by side, all of them within one time: whatever does not answer, the examination ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from stacks.doctor.findings import Finding, fault

Check = Callable[[], Sequence[Finding]]


def within(seconds: float, checks: Mapping[str, Check]) -> list[Finding]:
    """Run checks, each in a thread of its own.

    Args:
        seconds: for all of them together.
        checks: by their names.

    Returns:
        The findings in the order of the checks; a fault for one that has not ended in time. It is left alone, and ends
        with the process.
    """
    deadline = time.monotonic() + seconds
    running = {name: _started(check) for name, check in checks.items()}
    results = [_findings(name, future, deadline, seconds) for name, future in running.items()]
    return [finding for findings in results for finding in findings]


def _findings(name: str, future: Future[Sequence[Finding]], deadline: float, seconds: float) -> Sequence[Finding]:
    try:
        return future.result(max(deadline - time.monotonic(), 0))
    except TimeoutError:
        return [
            fault(name, f"has not answered within {seconds:g} seconds: check the address, the network and the load.")
        ]


def _started(check: Check) -> Future[Sequence[Finding]]:
    future: Future[Sequence[Finding]] = Future()

    def run() -> None:
        try:
            future.set_result(check())
        except BaseException as error:
            future.set_exception(error)
            raise

    # A thread of a pool would keep the process from ending.
    threading.Thread(target=run, daemon=True).start()
    return future
