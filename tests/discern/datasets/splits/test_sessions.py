from __future__ import annotations

from datetime import UTC, datetime, timedelta

from discern.datasets.splits.sessions import sessions

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(*minutes: float | None) -> list[datetime | None]:
    return [None if one is None else START + timedelta(minutes=one) for one in minutes]


def test_a_pause_ends_a_session() -> None:
    names = sessions(["a"] * 5, at(0, 9, 19, 29.1, 200), 10)
    assert names == [START.isoformat()] * 3 + [
        (START + timedelta(minutes=29.1)).isoformat(),
        (START + timedelta(minutes=200)).isoformat(),
    ]


def test_the_order_of_the_photos_does_not_matter() -> None:
    assert sessions(["a"] * 3, at(200, 9, 0), 10)[1:] == [START.isoformat()] * 2


def test_classes_have_sessions_of_their_own() -> None:
    names = sessions(["a", "b", "a"], at(0, 5, 12), 10)
    assert len(set(names)) == 3


def test_without_a_time_there_is_no_session() -> None:
    assert sessions(["a", "a"], at(None, 0), 10) == [None, START.isoformat()]
    assert sessions(["a", "a"], at(0, 0), 0) == [None, None]
    assert sessions([], [], 10) == []
