"""A map in threads that runs some items ahead of its reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

WORKERS = 16  # for work that waits, for a disk or a network, rather than computes
AHEAD = 64  # items


def map_ahead(
    function: Callable[[In], Out], items: Iterable[In], workers: int = WORKERS, ahead: int = AHEAD
) -> Iterator[tuple[In, Out]]:
    """Yield each item with its result, in order.

    When the reader stops, or an item fails, the items that have not begun are dropped, and those that have are waited
    for.

    Args:
        function: called in a thread.
        items: taken one at a time, in the reader's thread.
        workers: how many threads there are.
        ahead: how many items are taken before the reader asks for them.

    Raises:
        Exception: what `function` raises for an item, when the reader comes to it.
    """
    waiting: deque[tuple[In, Future[Out]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(function, item)))
                if len(waiting) > ahead:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _first(waiting: deque[tuple[In, Future[Out]]]) -> tuple[In, Out]:
    item, future = waiting.popleft()
    return item, future.result()
