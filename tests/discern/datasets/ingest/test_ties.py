"""Near-duplicates and sessions, of instances and of empty images."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from discern.datasets.ingest.ties import find_ties
from tests.discern.datasets.ingest.ingest_rows import row

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def sessions_of(*rows: object, minutes: float = 10) -> list[str | None]:
    given = [item for item in rows if item is not None]
    ties = find_ties(range(len(given)), given, [], minutes)  # type: ignore[arg-type]
    return [ties[i].session for i in range(len(given))]


def test_an_empty_image_shares_the_session_of_the_instance_that_was_taken_next_to_it() -> None:
    names = sessions_of(
        row("a", "nut", captured_at=at(0)),
        row("b", "bolt", captured_at=at(60)),
        row("early", captured_at=at(-10)),
        row("late", captured_at=at(52)),
        row("between", captured_at=at(30)),
    )
    assert names == [at(0).isoformat(), at(60).isoformat(), at(0).isoformat(), at(60).isoformat(), at(30).isoformat()]


def test_empty_images_alone_have_sessions_among_themselves() -> None:
    names = sessions_of(row("a", "nut"), *(row(f"belt {k}", captured_at=at(8 * k)) for k in range(3)), row("undated"))
    assert names == [None, *[at(0).isoformat()] * 3, None]


def test_without_session_minutes_nothing_is_joined() -> None:
    assert sessions_of(row("a", "nut", captured_at=at(0)), row("belt", captured_at=at(0)), minutes=0) == [None, None]


def test_rows_that_are_left_out_tie_nothing_together() -> None:
    rows = [row("a", "nut"), row("bridge", "nut"), row("c", "nut")]
    same = [(0, 1), (1, 2)]
    assert len({tie.near_duplicates for tie in find_ties([0, 1, 2], rows, same, 0).values()} - {None}) == 1
    assert {tie.near_duplicates for tie in find_ties([0, 2], rows, same, 0).values()} == {None}
