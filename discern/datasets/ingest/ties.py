"""The ties between rows of a version: near-duplicates and capture sessions. Tied rows stay on one side of a split."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from discern.datasets.ingest.cleaning import near_sets
from discern.datasets.ingest.rows import IngestRow
from discern.datasets.splits.sessions import sessions


@dataclass(frozen=True, slots=True)
class Ties:
    """The ties of one row.

    Args:
        near_duplicates: name of its set of near-duplicates.
        session: name of its capture session.
    """

    near_duplicates: str | None = None
    session: str | None = None


_UNTIED = Ties()


def find_ties(
    numbers: Sequence[int], rows: Sequence[IngestRow], same: Sequence[tuple[int, int]], session_minutes: float
) -> dict[int, Ties]:
    """Find the ties among some rows; rows that are not among them tie nothing together.

    Args:
        numbers: of the rows that are in the version.
        rows: all rows.
        same: pairs of near-duplicates.
        session_minutes: longest pause within a session; 0 ignores times.
    """
    near = near_sets(numbers, rows, same)
    instances = [i for i in numbers if rows[i].kind == "instance"]
    labels = [rows[i].label or "" for i in instances]
    names = sessions(labels, [rows[i].captured_at for i in instances], session_minutes)
    session_of = dict(zip(instances, names, strict=True))
    session_of |= _sessions_of_empty(numbers, rows, session_of, session_minutes)
    ties = dict.fromkeys(numbers, _UNTIED)
    for i in numbers:
        if i in near or session_of.get(i) is not None:
            ties[i] = Ties(near.get(i), session_of.get(i))
    return ties


def _sessions_of_empty(
    numbers: Sequence[int], rows: Sequence[IngestRow], session_of: Mapping[int, str | None], session_minutes: float
) -> dict[int, str | None]:
    """Sessions of empty images: that of the instance that was taken next to it in time, or one among themselves."""
    empty = [i for i in numbers if rows[i].kind == "empty"]
    taken = sorted((time, name) for i, name in session_of.items() if name and (time := rows[i].captured_at))
    joining = {i: _session_at(rows[i].captured_at, taken, timedelta(minutes=session_minutes)) for i in empty}
    alone = [i for i in empty if joining[i] is None]
    own = sessions([""] * len(alone), [rows[i].captured_at for i in alone], session_minutes)
    return joining | dict(zip(alone, own, strict=True))


def _session_at(time: datetime | None, taken: Sequence[tuple[datetime, str]], gap: timedelta) -> str | None:
    """The session of the instance that was taken nearest to a time, if no longer pause than `gap` lies between."""
    if time is None or not taken:
        return None
    after = bisect_left(taken, (time, ""))
    nearest = min(taken[max(0, after - 1) : after + 1], key=lambda item: abs(item[0] - time))
    return nearest[1] if abs(nearest[0] - time) <= gap else None
