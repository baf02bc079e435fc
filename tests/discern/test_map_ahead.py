from __future__ import annotations

import threading
import time

import pytest

from discern.map_ahead import map_ahead


def test_map_ahead_gives_the_results_in_order() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        time.sleep(0.001 * (item % 3))
        done.append(item)
        return item * item

    results = map_ahead(work, range(40), workers=8, ahead=5)
    assert next(results) == (0, 0)
    assert list(results) == [(i, i * i) for i in range(1, 40)]
    assert sorted(done) == list(range(40))


def test_map_ahead_begins_no_more_items_than_it_may() -> None:
    begun: list[int] = []
    results = map_ahead(begun.append, range(1000), ahead=5)
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 6
    results.close()  # type: ignore[attr-defined]


def test_map_ahead_raises_an_error_at_its_item_and_stops_the_rest() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("3 is wrong.")
        return item

    threads = threading.active_count()
    results = map_ahead(work, range(100))
    assert [next(results) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(ValueError, match="3 is wrong"):
        next(results)
    assert threading.active_count() == threads
