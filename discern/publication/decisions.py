"""What a person decides on a channel: approve, reject, roll back, pin; each is written down with name and reason.

Rules kept:
- a channel names releases of one use case;
- nothing is put on a channel that somebody pinned.
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


def approve(catalogue: Catalogue, release: str, channel: str, person: Person) -> None:
    """Make a channel name a release that waits, or was held back; no other channel keeps it waiting.

    Raises:
        PublicationError: the release is not here or is of another use case, or the channel is pinned.
    """
    manifest = catalogue.manifest(release)
    check_not_pinned(catalogue, channel)
    current = catalogue.release_of(channel)
    if current is not None:
        _check_use_case(catalogue, channel, manifest.name, current, release)
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
        PublicationError: the release is not here, or a channel that devices follow names it.
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
        PublicationError: the release is not here, or is of another use case, or the channel is pinned.
    """
    manifest = catalogue.manifest(release)
    check_not_pinned(catalogue, channel)
    current = catalogue.release_of(channel)
    if current == release:
        return
    if release not in catalogue.history.named_by(channel):
        _check_use_case(catalogue, channel, manifest.name, current, release)
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
    if current is None:
        raise PublicationError(
            f"{catalogue.store.url} has no channel {channel!r}: `discern release list` shows the channels."
        )
    if pinned:
        check_not_pinned(catalogue, channel)
    elif catalogue.history.pinned(channel) is None:
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


def _check_use_case(catalogue: Catalogue, channel: str, name: str, current: str | None, release: str) -> None:
    if current is None:
        raise PublicationError(
            f"channel {channel!r} of {catalogue.store.url} never named release {release}: put it there by `discern "
            "release approve`."
        )
    name_there = catalogue.manifest(current).name
    if name != name_there:
        raise PublicationError(
            f"release {release} is of the use case {name!r}, and channel {channel!r} of {catalogue.store.url} names "
            f"releases of {name_there!r}: name a release or a channel of one use case."
        )


def _unstage(change: Change, release: str, but: str | None, person: Person) -> None:
    """Take away the channels on which a release waits."""
    catalogue = change.catalogue
    for channel, named in catalogue.channels.items():
        put = next((record for record in reversed(catalogue.history.records) if record.channel == channel), None)
        if channel != but and named == release and put is not None and put.action == "stage":
            change.remove_channel(channel)
            change.records.append(
                Record(action="unstage", channel=channel, previous=release, by=person.by, why=person.why)
            )
