"""Delete what no state of a repository needs.

Rules kept:
- what is younger than a day stays: another publisher may be at work, or a device in the middle of a pull;
- the files of the last states stay, so that a repository can be repaired from them; roots always stay;
- a release leaves the list by a signed change first, never one that a channel names or was rolled back to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tuf.api.metadata import TargetFile

from discern.errors import PublicationError
from discern.publication.catalogue import Catalogue, Change
from discern.publication.history import PATH, History, Record
from discern.publication.metadata import State
from discern.publication.store import CONTENT, METADATA, SignedStore, stored_name
from discern.storage.atomic import PARTIAL
from discern.storage.remote import StoredFile

YOUNG = 86_400.0  # seconds
STATES = 10  # whose metadata stays
KEEP = 10  # releases of a channel
NUMBERED = re.compile(rf"{METADATA}/(\d+)\.(targets|snapshot)\.json")
TEMPORARY = re.compile(rf"(?:.*/)?(?:{re.escape(PARTIAL)}.*|\..*\.tmp)")


@dataclass(frozen=True)
class Collection:
    """What was deleted, or would be.

    Attributes:
        releases: that left the list.
        files: names in the repository.
        bytes: that are free now.
    """

    releases: tuple[str, ...]
    files: tuple[str, ...]
    bytes: int


def collect(store: SignedStore, keep: int = KEEP, *, dry_run: bool = False) -> Collection:
    """Take old releases from the list, and delete what no state needs.

    Args:
        store: the repository.
        keep: releases of each channel that stay, counted from the newest.
        dry_run: change nothing and tell what would go.

    Raises:
        PublicationError: the repository is not whole, another publisher was first, or it cannot be written.
    """
    if keep < 1:
        raise PublicationError("at least one release of each channel stays: say --keep 1 or more.")
    with store.errors():
        catalogue = Catalogue(store, store.state())
        old = _old_releases(catalogue, keep)
        change = Change(catalogue)
        if old:
            kept = [catalogue.manifest(release) for release in catalogue.release_ids if release not in old]
            change.remove_releases(old, kept)
            why = f"older than the last {keep} of each channel"
            change.records += [Record(action="retire", release=release, why=why) for release in old]
        if not dry_run:
            change.commit()
        files = _unneeded(store, change.targets, catalogue.state)
        if not dry_run:
            files = {name: file for name, file in files.items() if _delete(store, name)}
        return Collection(tuple(old), tuple(files), sum(file.bytes for file in files.values()))


def _old_releases(catalogue: Catalogue, keep: int) -> list[str]:
    """Return the releases that no channel needs any more, in the order of the list."""
    history = catalogue.history
    channels = {*history.channels(), *catalogue.channels}
    needed = {release for channel in channels for release in history.named_by(channel)[:keep]}
    needed |= {*catalogue.channels.values(), *_of_rollbacks(history)}
    named = {release for channel in channels for release in history.named_by(channel)}
    return [
        release
        for release in catalogue.release_ids
        if release not in needed and (release in named or release in _oldest(catalogue, named, keep))
    ]


def _of_rollbacks(history: History) -> Iterable[str]:
    """Yield the releases of the last rollback of each channel, to and from."""
    last = {record.channel: record for record in history.records if record.action == "rollback"}
    for record in last.values():
        yield from filter(None, (record.release, record.previous))


def _oldest(catalogue: Catalogue, named: set[str], keep: int) -> set[str]:
    """Return the releases without a history but for the last of each use case: an older publisher wrote none."""
    by_name: dict[str, list[tuple[datetime, str]]] = {}
    for release, manifest in catalogue.manifests().items():
        if release not in named:
            by_name.setdefault(manifest.name, []).append((manifest.created, release))
    return {release for releases in by_name.values() for _, release in sorted(releases, reverse=True)[keep:]}


def _unneeded(store: SignedStore, targets: Mapping[str, TargetFile], state: State) -> dict[str, StoredFile]:
    """Return the files that neither the list needs nor the last states, and that are not young."""
    files = store.files.files()
    needed = {stored_name(target) for target in targets.values()}
    needed |= {stored_name(target) for path, target in state.targets.targets.items() if path == PATH}  # to repair from
    needed |= _lasting(files, "targets", state.targets.version) | _lasting(files, "snapshot", state.snapshot.version)
    return {
        name: file
        for name, file in files.items()
        if file.age > YOUNG and name not in needed and (_may_go(name) or TEMPORARY.fullmatch(name))
    }


def _may_go(name: str) -> bool:
    return name.startswith(f"{CONTENT}/") or NUMBERED.fullmatch(name) is not None


def _lasting(files: Iterable[str], role: str, live: int) -> set[str]:
    """Return the metadata of a role that stays: of the last states, the live one among them, and of later ones."""
    found = [match for name in files if (match := NUMBERED.fullmatch(name)) and match[2] == role]
    older = sorted((match for match in found if int(match[1]) <= live), key=lambda match: int(match[1]))
    return {match[0] for match in found if int(match[1]) > live} | {match[0] for match in older[-STATES:]}


def _delete(store: SignedStore, name: str) -> bool:
    """Delete a file, unless somebody wrote it anew since it was looked at."""
    try:
        if store.files.age(name) <= YOUNG:
            return False
        store.files.delete(name)
    except FileNotFoundError:
        return False
    return True
