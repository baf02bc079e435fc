"""Capture sessions: photos of one class that were taken shortly after each other show it in one place and one light."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta


def sessions(labels: Sequence[str], times: Sequence[datetime | None], gap_minutes: float) -> list[str | None]:
    """Name the session of every photo.

    Args:
        labels: [n] the class of each photo.
        times: [n] when each was taken, if known.
        gap_minutes: photos of one class belong together while no pause between two of them is longer; 0 joins none.

    Returns:
        [n] the time of the session's first photo (ISO 8601); None where the time is not known, or nothing is joined.
    """
    names: list[str | None] = [None] * len(labels)
    if gap_minutes <= 0:
        return names
    photos_of: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for i, (label, time) in enumerate(zip(labels, times, strict=True)):
        if time is not None:
            photos_of[label].append((time, i))
    gap = timedelta(minutes=gap_minutes)
    for members in photos_of.values():
        members.sort()
        start = last = members[0][0]
        for time, i in members:
            if time - last > gap:
                start = time
            names[i] = start.isoformat()
            last = time
    return names
