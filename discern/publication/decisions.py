"""What a person decides on a channel: approve, reject, roll back, pin; each is written down with name and reason.

Rules kept:
- a channel names releases of one use case;
- nothing is put on a channel that somebody pinned, nor taken from it;
- what is approved was judged against what it takes the place of, unless the person says otherwise;
- a channel goes back only to what was live on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from discern.errors import PublicationError
from discern.publication.catalogue import Catalogue, Change
from discern.publication.history import Record
from edge_runtime.device.repository_paths import channel_path


@dataclass(frozen=True)
class Person:
    """Who decides, and why.

    Raises:
        PublicationError: one of them is not said.
    """

    by: str
    why: str

    def __post_init__(self) -> None:
        if not self.by.strip() or not self.why.strip():
            raise PublicationError("a decision needs a name and a reason: say who with --by, and why with --why.")


def approve(catalogue: Catalogue, release: str, channel: str, person: Person, *, anyway: bool = False) -> None:
    """Make a channel name a release that waits, or was held back; no other channel keeps it waiting.

    Args:
        catalogue: of the live state.
        release: that is approved.
        channel: that devices follow.
        person: who approves.
        anyway: also where production is not what the release was judged against any more.

    Raises:
        PublicationError: the release is not here or is of another use case, a channel is pinned, or production is
            another release by now than the one that was judged against.
    """
    check_not_pinned(catalogue, channel)
    current = catalogue.release_of(channel)
    _check_use_case(catalogue, channel, current, release)
    if not anyway:
        _check_judgement(catalogue, release, channel)
    change = Change(catalogue)
    change.point(channel, release)
    change.records.append(
        Record(action="approve", channel=channel, release=release, previous=current, by=person.by, why=person.why)
    )
    _unstage(change, release, channel, person)
    change.commit()


def reject(catalogue: Catalogue, release: str, person: Person) -> None:
    """Note that a release is not to be used, and take it from the channels on which it waits.

    Raises:
        PublicationError: the release is not here, a channel that devices follow names it, or one on which it waits is
            pinned.
    """
    catalogue.manifest(release)
    change = Change(catalogue)
    change.records.append(Record(action="reject", release=release, by=person.by, why=person.why))
    _unstage(change, release, None, person)
    named = [channel for channel, named in catalogue.channels.items() if named == release]
    if live := [channel for channel in named if channel_path(channel) in change.targets]:
        raise PublicationError(
            f"release {release} is live on channel {live[0]!r} of {catalogue.store.url}: run `discern release "
            "rollback` to an older one first."
        )
    change.commit()


def roll_back(catalogue: Catalogue, release: str, channel: str, person: Person) -> None:
    """Make a channel name an older release again.

    Raises:
        PublicationError: the release is not here, is of another use case, was never live on the channel or was
            rejected, or the channel is pinned.
    """
    check_not_pinned(catalogue, channel)
    current = catalogue.release_of(channel)
    _check_use_case(catalogue, channel, current, release)
    if current == release:
        return
    _check_may_come_back(catalogue, release, channel)
    change = Change(catalogue)
    change.point(channel, release)
    change.records.append(
        Record(action="rollback", channel=channel, release=release, previous=current, by=person.by, why=person.why)
    )
    change.commit()


def set_pin(catalogue: Catalogue, channel: str, person: Person, *, pinned: bool) -> None:
    """Keep a channel at what it names, or let it go on.

    Raises:
        PublicationError: there is no such channel, or it is so already.
    """
    current = catalogue.release_of(channel)
    pin = catalogue.history.pinned(channel)
    if current is None and pin is None:
        raise PublicationError(
            f"{catalogue.store.url} has no channel {channel!r}: `discern release list` shows the channels."
        )
    if pinned:
        check_not_pinned(catalogue, channel)
    elif pin is None:
        raise PublicationError(f"channel {channel!r} of {catalogue.store.url} is not pinned.")
    change = Change(catalogue)
    action: Literal["pin", "unpin"] = "pin" if pinned else "unpin"
    change.records.append(Record(action=action, channel=channel, release=current, by=person.by, why=person.why))
    change.commit()


def check_not_pinned(catalogue: Catalogue, channel: str) -> None:
    """Refuse to change a channel that somebody pinned.

    Raises:
        PublicationError: it is pinned.
    """
    pin = catalogue.history.pinned(channel)
    if pin is not None:
        raise PublicationError(
            f"channel {channel!r} of {catalogue.store.url} was pinned by {pin.by} on {pin.when:%Y-%m-%d} ({pin.why}): "
            f"run `discern release unpin {channel}` first."
        )


def channel_for(catalogue: Catalogue, release: str) -> str:
    """Return the channel that a decision on a release is about: what it waits for, or the one of its use case.

    Raises:
        PublicationError: the release is not here, or there is not one such channel.
    """
    history, channels = catalogue.history, catalogue.channels
    name = catalogue.manifest(release).name
    waiting = {channel: history.waiting(named, channel) for channel, named in channels.items()}
    awaited = [record.waits_for for channel, record in waiting.items() if record and channels[channel] == release]
    if awaited and awaited[0] is not None:
        return awaited[0]
    live = [channel for channel, record in waiting.items() if record is None]
    own = sorted(channel for channel in live if catalogue.manifest(channels[channel]).name == name)
    if len(own) == 1:
        return own[0]
    which = f"the channels {', '.join(own)} name" if own else "no channel that devices follow names"
    raise PublicationError(
        f"{which} releases of the use case {name!r} in {catalogue.store.url}: say with --channel which one is meant."
    )


def _check_use_case(catalogue: Catalogue, channel: str, current: str | None, release: str) -> None:
    """Refuse a release that is not here, or is of another use case than the one that a channel names."""
    name = catalogue.manifest(release).name
    name_there = name if current is None else catalogue.manifest(current).name
    if name != name_there:
        raise PublicationError(
            f"release {release} is of the use case {name!r}, and channel {channel!r} of {catalogue.store.url} names "
            f"releases of {name_there!r}: name a release or a channel of one use case."
        )


def _check_judgement(catalogue: Catalogue, release: str, channel: str) -> None:
    """Refuse a release where production is not what it was judged against any more."""
    judgement = catalogue.history.judgement(release, channel)
    if judgement is None:
        return
    production, judged_against = judgement
    current = catalogue.release_of(production)
    if (current or "") not in (release, judged_against):
        raise PublicationError(
            f"release {release} was judged against {judged_against or 'none'}, and channel {production!r} of "
            f"{catalogue.store.url} names {current or 'no release'} by now: run the promotion or the enrolment "
            "again, or approve it all the same with --anyway."
        )


def _check_may_come_back(catalogue: Catalogue, release: str, channel: str) -> None:
    """Refuse to go back to a release that was never live on a channel, or that somebody rejected since."""
    history, url = catalogue.history, catalogue.store.url
    mend = "`discern release approve` puts it there all the same"
    if not history.was_live(release, channel):
        raise PublicationError(f"release {release} was never live on channel {channel!r} of {url}: {mend}.")
    holding = history.holding(release, channel)
    if holding is not None and holding.action == "reject":
        raise PublicationError(
            f"release {release} of {url} was {history.held(release, channel)}; choose another release, or {mend}."
        )


def _unstage(change: Change, release: str, but: str | None, person: Person) -> None:
    """Take away the channels on which a release waits."""
    catalogue = change.catalogue
    for channel, named in catalogue.channels.items():
        if channel != but and named == release and catalogue.history.waiting(release, channel) is not None:
            check_not_pinned(catalogue, channel)
            change.remove_channel(channel)
            change.records.append(
                Record(action="unstage", channel=channel, previous=release, by=person.by, why=person.why)
            )
