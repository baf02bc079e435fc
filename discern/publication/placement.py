"""What a run puts on a channel: a release that goes live, or one that waits for a person.

Rules kept, each on the very state that is changed:
- nothing is put on a channel that somebody pinned, nor a release that a person rejected or rolled back from;
- a release is put over what it was judged against, and over nothing else;
- what waits for a person gives way to a newer release; what was enrolled, of which a training may not know, only to one
  that was enrolled into it or that goes live.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from discern.errors import PublicationError
from discern.publication import decisions
from discern.publication.catalogue import Catalogue, Change
from discern.publication.history import Record
from edge_runtime.core.release import Release

ANY: Final = "any"  # whatever a channel names


@dataclass(frozen=True)
class Placement:
    """A release on a channel.

    Args:
        release: whole, in a folder.
        channel: that names it from then on.
        expected: the release that `channel` must name still, None for no release.
        staged_for: the channel that the release waits for; None where it goes live on `channel`, or nobody knows.
        judged_against: the release that the channel of production must name still, None for no release.
        staging: the channel on which nothing of the use case waits any longer, once the release is live.
        is_staged: whether it waits for a person.
        why: the reason, for the history.
        decision: id of the report on the decision, for the history.
    """

    release: Release
    channel: str
    expected: str | None = ANY
    staged_for: str | None = None
    judged_against: str | None = ANY
    staging: str | None = None
    is_staged: bool = False
    why: str | None = None
    decision: str | None = None

    @property
    def production(self) -> str:
        """The channel that the release is meant for."""
        return self.staged_for or self.channel

    def check(self, catalogue: Catalogue) -> None:
        """Refuse what must not be put there.

        Raises:
            PublicationError: the channel is pinned, a person decided against the release, another release is in
                production than the one that was judged against, or another one waits on the channel.
        """
        decisions.check_not_pinned(catalogue, self.channel)
        identity, url = self.release.id, catalogue.store.url
        if held := catalogue.history.held(identity, self.production):
            raise PublicationError(
                f"release {identity} of {url} was {held}; no run puts it on a channel: `discern release approve` does."
            )
        self._check_names(catalogue, self.production, self.judged_against)
        self._check_names(catalogue, self.channel, self.expected)
        if self.is_staged and self.expected == ANY:
            self._check_no_enrolment_waits(catalogue)

    def note(self, change: Change) -> None:
        """Write down what a change does, if it changes anything; what waits for a person gives way to what is live."""
        catalogue = change.catalogue
        is_new = change.targets != catalogue.targets
        judged = None if self.judged_against == ANY else self.judged_against or ""
        before = catalogue.history.judgement(self.release.id, self.production)
        judged_anew = self.is_staged and judged not in (None, before and before[1])
        if not (is_new or judged_anew):
            return
        change.records.append(
            Record(
                action="stage" if self.is_staged else "publish",
                channel=self.channel,
                release=self.release.id,
                previous=current_or_none(catalogue, self.channel),
                why=self.why,
                decision=self.decision,
                waits_for=self.staged_for,
                judged_against=judged,
            )
        )
        if self.staging not in (None, self.channel):
            self._clear(change, str(self.staging))

    def _check_names(self, catalogue: Catalogue, channel: str, expected: str | None) -> None:
        """Refuse a channel that names another release than expected; the release itself may be there already."""
        if expected == ANY:
            return
        current = current_or_none(catalogue, channel)
        if current not in (expected, self.release.id):
            raise PublicationError(
                f"channel {channel!r} of {catalogue.store.url} names {current or 'no release'} by now, and release "
                f"{self.release.id} was judged against {expected or 'none'}: run the pipeline again."
            )

    def _check_no_enrolment_waits(self, catalogue: Catalogue) -> None:
        waiting = current_or_none(catalogue, self.channel)
        if waiting is None or waiting in (self.release.id, *catalogue.bases(self.release.manifest)):
            return
        was_enrolled = catalogue.manifest(waiting).lineage.enrolled_into is not None
        if was_enrolled and catalogue.history.waiting(waiting, self.channel) is not None:
            raise PublicationError(
                f"release {waiting} waits for a person on channel {self.channel!r} of {catalogue.store.url}, and "
                f"{self.release.id} would take its place: run `discern release approve {waiting}` or `discern release "
                f"reject {waiting}`, then the pipeline again."
            )

    def _clear(self, change: Change, staging: str) -> None:
        """Take away the channel of what waits: it was judged against what is live no longer."""
        catalogue = change.catalogue
        waiting = current_or_none(catalogue, staging)
        if waiting is None or catalogue.history.waiting(waiting, staging) is None:
            return
        if catalogue.history.pinned(staging) or catalogue.manifest(waiting).name != self.release.manifest.name:
            return
        change.remove_channel(staging)
        why = f"release {self.release.id} went live on channel {self.channel}"
        change.records.append(Record(action="unstage", channel=staging, previous=waiting, why=why))


def current_or_none(catalogue: Catalogue, channel: str) -> str | None:
    """Return the release that a channel names, None also where its pointer is lost: publishing writes it anew."""
    try:
        return catalogue.release_of(channel)
    except PublicationError:
        return None
