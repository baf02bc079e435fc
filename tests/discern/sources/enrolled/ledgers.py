"""Ledgers of what was enrolled, for the tests of the sources."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from discern.sources.enrolled.ledger import EnrolmentRequest, Ledger, OfferedPhoto

NOON = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)


class Enrolments:
    """A ledger in which one request follows the other, each published at once unless it says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(str(folder))
        self._asked = NOON

    def add(
        self,
        photos: Iterable[tuple[str, bytes]] = (),
        *,
        retire: tuple[str, ...] = (),
        replace: bool = False,
        why: str | None = None,
        by: str = "Ana",
        is_published: bool = True,
    ) -> EnrolmentRequest:
        """Enrol photos, a label and bytes each, and retire labels."""
        self._asked += timedelta(minutes=1)
        asked = EnrolmentRequest(
            use_case="parts", requested=self._asked, by=by, why=why, retire=retire, replace=replace
        )
        request = self.ledger.offer(asked, [OfferedPhoto(label, f"{label}.JPG", data) for label, data in photos])
        if is_published:
            self.ledger.publish(request, "0123456789abcdef")
        return request
