"""Delete what no state of a repository needs.

Rules kept:
- what is younger than a day stays, and what a list named that was live a day ago: another publisher may be at work, or
  a device in the middle of a pull;
- the metadata of the last states stays, with their histories and pointers, so that a repository can be repaired from
  them; roots always stay;
- a release leaves the list by a signed change first, never one that a channel names or was rolled back to, nor one that
  a release which stays was enrolled into.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from tuf.api.metadata import TargetFile, Targets

from discern.errors import PublicationError
from discern.publication.catalogue import Catalogue, Change
from discern.publication.history import PATH, History, Record
from discern.publication.metadata import TARGETS, State
from discern.publication.signed_files import signed_files, version_of
from discern.publication.store import CONTENT, METADATA, SignedStore, stored_name
from discern.storage.atomic import PARTIAL
from discern.storage.remote import StoredFile
from edge_runtime.core.release import ReleaseManifest
from edge_runtime.device.repository_paths import channel_named

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
        later: names of files of releases that left the list less than a day ago; a collection after that deletes them.
    """

    releases: tuple[str, ...]
    files: tuple[str, ...]
    bytes: int
    later: tuple[str, ...] = ()


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
        manifests = catalogue.manifests()
        old = _old_releases(catalogue, manifests, keep)
        change = Change(catalogue)
        if old:
            change.remove_releases(old, [manifest for release, manifest in manifests.items() if release not in old])
            why = f"older than the last {keep} of each channel"
            change.records += [Record(action="retire", release=release, why=why) for release in old]
        if not dry_run:
            change.commit()
        stored = store.files.files()
        lists = _lists(store, catalogue.state)
        needed = _names(change.targets.values()) | _names(_to_repair_from(lists))
        recent = _names(_recently_live(lists, stored))
        files = _unneeded(stored, needed | recent, catalogue.state)
        if not dry_run:
            files = {name: file for name, file in files.items() if _delete(store, name)}
        later = tuple(sorted((recent - needed) & stored.keys()))
        return Collection(tuple(old), tuple(files), sum(file.bytes for file in files.values()), later)


def _old_releases(catalogue: Catalogue, manifests: Mapping[str, ReleaseManifest], keep: int) -> list[str]:
    """Return the releases that no channel needs any more, in the order of the list."""
    history = catalogue.history
    channels = {*history.channels(), *catalogue.channels}
    needed = {release for channel in channels for release in history.named_by(channel)[:keep]}
    needed |= {*catalogue.channels.values(), *_of_rollbacks(history)}
    named = {release for channel in channels for release in history.named_by(channel)}
    may_go = (named | _oldest(manifests, named, keep)) - needed
    stay = [manifest for release, manifest in manifests.items() if release not in may_go]
    may_go -= {base for manifest in stay for base in catalogue.bases(manifest)}
    return [release for release in manifests if release in may_go]


def _of_rollbacks(history: History) -> Iterable[str]:
    """Yield the releases of the last rollback of each channel, to and from."""
    last = {record.channel: record for record in history.records if record.action == "rollback"}
    for record in last.values():
        yield from filter(None, (record.release, record.previous))


def _oldest(manifests: Mapping[str, ReleaseManifest], named: set[str], keep: int) -> set[str]:
    """Return the releases without a history but for the last of each use case: an older publisher wrote none."""
    by_name: dict[str, list[tuple[datetime, str]]] = {}
    for release, manifest in manifests.items():
        if release not in named:
            by_name.setdefault(manifest.name, []).append((manifest.created, release))
    return {release for releases in by_name.values() for _, release in sorted(releases, reverse=True)[keep:]}


def _lists(store: SignedStore, state: State) -> list[tuple[str, Targets]]:
    """Return the signed lists that lie there, by name, from the live one of a state to the oldest."""
    lists = signed_files(store, state.root, TARGETS).items()
    return [(f"{METADATA}/{name}", content) for name, content in lists if version_of(name) <= state.targets.version]


def _to_repair_from(lists: Iterable[tuple[str, Targets]]) -> Iterable[TargetFile]:
    """Yield histories and pointers of the last lists: they are small, and hold what people decided."""
    for _, content in islice(lists, STATES):
        yield from (target for path, target in content.targets.items() if path == PATH or channel_named(path))


def _recently_live(lists: Iterable[tuple[str, Targets]], stored: Mapping[str, StoredFile]) -> Iterable[TargetFile]:
    """Yield what is named by the live list and by those that were live less than a day ago."""
    followed = 0.0  # seconds since the next list was written
    for name, content in lists:
        if followed > YOUNG:
            return
        yield from content.targets.values()
        followed = stored[name].age


def _names(targets: Iterable[TargetFile]) -> set[str]:
    return {stored_name(target) for target in targets}


def _unneeded(stored: Mapping[str, StoredFile], needed: Container[str], state: State) -> dict[str, StoredFile]:
    """Return the files that neither lists need nor the last states, and that are not young."""
    lasting = _lasting(stored, "targets", state.targets.version) | _lasting(stored, "snapshot", state.snapshot.version)
    return {
        name: file
        for name, file in stored.items()
        if file.age > YOUNG
        and name not in needed
        and name not in lasting
        and (_may_go(name) or TEMPORARY.fullmatch(name))
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
