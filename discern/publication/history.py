"""What happened to the channels of a repository: who changed what, when and why; a signed target that only grows.

The newest record of a matter counts: a release that was rejected may be approved later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from discern.errors import PublicationError

PATH = "history.json"
MADE_LIVE = ("publish", "approve", "rollback", "repair")
PUT_BY_SOMEBODY = ("publish", "stage", "approve", "rollback")
PUT_ON_A_CHANNEL = (*PUT_BY_SOMEBODY, "repair")
OF_A_LATER_VERSION = {"extra_forbidden", "literal_error"}  # by the types of pydantic's errors

Action = Literal[
    "publish",
    "stage",
    "approve",
    "reject",
    "unstage",
    "rollback",
    "pin",
    "unpin",
    "retire",
    "repair",
    "rotate",
    "renew",
]


class Record(BaseModel):
    """One change.

    Attributes:
        when: in UTC.
        action: what was done.
        channel: the channel that changed, if one did.
        release: the release that the change is about; where it was put on the channel, the one that it names now.
        previous: the release that the channel named before.
        by: who decided; None for a run that nobody had to ask.
        why: the reason.
        decision: id of the report on the decision.
        waits_for: the channel that a staged release is to be put on.
        judged_against: the release in production when this one was judged; empty where there was none, None where it is
            not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    when: AwareDatetime = Field(default_factory=lambda: datetime.now(timezone.utc).replace(microsecond=0))
    action: Action
    channel: str | None = None
    release: str | None = None
    previous: str | None = None
    by: str | None = None
    why: str | None = None
    decision: str | None = None
    waits_for: str | None = None
    judged_against: str | None = None


class History(BaseModel):
    """All records, oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1, 2] = 2  # since 2 a record says what was judged against
    records: tuple[Record, ...] = ()

    def adding(self, records: Sequence[Record]) -> History:
        """Return the history with more records."""
        return History(records=(*self.records, *records))

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        return (self.model_dump_json(exclude_none=True) + "\n").encode()

    def held(self, release: str, channel: str) -> str | None:
        """Return why a release is not to be put on a channel by a run, None where it may be.

        A release is held once a person rejected it, or took it from the channel by a rollback, until a person puts it
        back.
        """
        record = self.holding(release, channel)
        if record is None:
            return None
        done = "rejected" if record.action == "reject" else "rolled back"
        return f"{done} by {record.by} on {record.when:%Y-%m-%d}: {record.why}"

    def holding(self, release: str, channel: str) -> Record | None:
        """Return the rejection or the rollback by which a release is held, None where it is not."""
        for record in reversed(self.records):
            if record.action == "reject" and record.release == release:
                return record
            if record.action in {"approve", "rollback"} and record.channel == channel:
                if record.release == release:
                    return None
                if record.action == "rollback" and record.previous == release:
                    return record
        return None

    def waiting(self, release: str, channel: str) -> Record | None:
        """Return the record by which a release waits on a channel that names it; None where it does not wait."""
        for record in reversed(self.records):
            # A repair only puts back what was there: the record before it says whether that waits.
            if (record.channel, record.release) == (channel, release) and record.action in PUT_BY_SOMEBODY:
                return record if record.action == "stage" else None
        return None

    def was_live(self, release: str, channel: str) -> bool:
        """Return True if a channel has named a release for devices; one that only waited there was not live."""
        return any(
            record.channel == channel and record.action in MADE_LIVE and release in (record.release, record.previous)
            for record in self.records
        )

    def judgement(self, release: str, channel: str) -> tuple[str, str] | None:
        """Return what a release was judged against: the channel of production, and the release that it named.

        Args:
            release: that was published or staged.
            channel: of production, for histories of before: what it named when the release was staged counts.

        Returns:
            None where it is not known; the release is empty where there was none.
        """
        for number, record in reversed(list(enumerate(self.records))):
            if record.release != release:
                continue
            if record.judged_against is not None:
                return record.waits_for or str(record.channel), record.judged_against
            named = History(records=self.records[:number]).names_now(channel)
            if record.action == "stage" and named is not None:
                return channel, named
        return None

    def pinned(self, channel: str) -> Record | None:
        """Return the record by which a channel is pinned, None where it is not."""
        for record in reversed(self.records):
            if record.channel == channel and record.action in {"pin", "unpin"}:
                return record if record.action == "pin" else None
        return None

    def named_by(self, channel: str) -> list[str]:
        """Return every release that a channel has named, newest first."""
        named = [
            record.release
            for record in reversed(self.records)
            if record.channel == channel and record.release and record.action in PUT_ON_A_CHANNEL
        ]
        return list(dict.fromkeys(named))

    def names_now(self, channel: str) -> str | None:
        """Return the release that a channel names by its newest record, None where it names none."""
        for record in reversed(self.records):
            if record.channel == channel and record.action in (*PUT_ON_A_CHANNEL, "unstage"):
                return record.release
        return None

    def releases(self) -> set[str]:
        """Return every release that is mentioned."""
        return {release for record in self.records for release in (record.release, record.previous) if release}

    def channels(self) -> list[str]:
        """Return every channel that was ever changed."""
        return sorted({record.channel for record in self.records if record.channel})


def parse_history(data: bytes, where: str) -> History:
    """Return the history in `data`; `where` names it in errors.

    Raises:
        PublicationError: it is none, or of a later format.
    """
    try:
        return History.model_validate_json(data)
    except ValidationError as error:
        if any(problem["loc"] == ("format",) for problem in error.errors()):
            raise PublicationError(f"{where} has a format that is not known here: update discern.") from None
        if all(problem["type"] in OF_A_LATER_VERSION for problem in error.errors()):
            raise PublicationError(f"{where} has records that are not known here: update discern.") from None
        raise PublicationError(f"{where} is not a history of releases: run `discern release repair`.") from None
