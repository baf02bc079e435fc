"""A repository of releases that devices pull from: signed by The Update Framework, in a folder or a bucket.

    targets/channels/HASH.CHANNEL.json         the pointer: which release the channel names
    targets/releases/ID/HASH.release.json      the manifest
    targets/files/HASH/HASH.NAME               the files, by content, so releases share what they have in common
    targets/HASH.history.json                  who put what on which channel, when and why

Rules kept:
- every change is made from the state that was read, and goes live as a whole or not at all (`store`);
- a rollback is a newer state that names an older release;
- what a person decided holds until a person decides otherwise: a pin, a rejection, a rollback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from discern.errors import PublicationError
from discern.publication import decisions
from discern.publication import keys as key_files
from discern.publication.catalogue import Catalogue, Change
from discern.publication.decisions import Person
from discern.publication.history import History
from discern.publication.metadata import TARGETS, Expiries, State, expires_after
from discern.publication.placement import ANY, Placement
from discern.publication.roots import check_root, check_unexpired, first_root
from discern.publication.rotation import keep_roots
from discern.publication.signing import Signing, sign_with
from discern.publication.store import LIVE, SignedStore, root_file, stored_name
from discern.storage.atomic_folder import is_free, new_folder
from discern.storage.remote import write_file
from edge_runtime.core.release import (
    ENROLMENT_FILE,
    MANIFEST_FILE,
    FileEntry,
    Release,
    ReleaseManifest,
    open_release,
    parse_manifest,
)
from edge_runtime.device.repository_paths import channel_path, file_path, make_pointer, manifest_path
from edge_runtime.files import sha256_bytes


@dataclass(frozen=True)
class Published:
    """One release of a repository."""

    id: str
    name: str
    created: str
    channels: tuple[str, ...]


class ReleaseRepository:
    """Releases below `url`, signed with the keys in `keys`.

    Args:
        url: a folder, or an address that fsspec knows, such as s3://bucket/releases.
        keys: the folder with `signers.json`, a path or an address, see `discern.publication.keys`.
        expiries: how long signatures are good for.

    Raises:
        PublicationError: `url` cannot be opened.
    """

    def __init__(self, url: str, keys: str | Path, expiries: Expiries | None = None) -> None:
        self.store = SignedStore(url, keys, expiries)
        self.url = url
        self.keys = self.store.keys

    @property
    def root(self) -> str:
        """The address of the root of trust that devices are given once; public."""
        return self.store.root_address

    def initialise(self) -> None:
        """Make keys, root and the first metadata; what exists is kept, so it may be called again.

        Raises:
            PublicationError: the repository exists under another root, lost a part, or cannot be written.
        """
        store = self.store
        with store.errors():
            key_files.make_keys(self.keys)
            if not key_files.exists(self.keys, key_files.ROOT_FILE):
                self._make_root()
            data = store.own_root()
            root = check_root(data)
            if store.is_empty():
                if store.files.read(root_file(root.version)) is None:
                    store.files.replace_if(root_file(root.version), None, data)
                newest = store.root()
                store.switch(newest, {}, 0, None, store.signing(newest))
            else:
                store.state()
                keep_roots(store)

    def publish(
        self,
        release: Release,
        channel: str,
        expected: str | None = ANY,
        *,
        staging: str | None = None,
        why: str | None = None,
        decision: str | None = None,
    ) -> None:
        """Upload a release and make `channel` name it. Publishing the same again changes nothing.

        Args:
            release: whole, in a folder.
            channel: devices that follow it take the release.
            expected: the release that the channel must name still, None for no release: what was judged against.
            staging: the channel on which nothing of the use case waits any longer.
            why: the reason, for the history.
            decision: id of the report on the decision, for the history.

        Raises:
            PublicationError: the release is altered, a person decided against it, the channel is pinned or names
                another release than `expected`, another publisher was first, or the repository cannot be written.
        """
        self._place(Placement(release, channel, judged_against=expected, staging=staging, why=why, decision=decision))

    def stage(
        self,
        release: Release,
        channel: str,
        expected: str | None = ANY,
        *,
        production: str | None = None,
        judged_against: str | None = ANY,
        why: str | None = None,
        decision: str | None = None,
    ) -> None:
        """Upload a release and make `channel` name it, where it waits for a person.

        Args:
            release: whole, in a folder.
            channel: on which it waits.
            expected: the release that waits there and is put aside; without it none may wait there but one that the
                release was enrolled into.
            production: the channel that it waits for.
            judged_against: the release that `production` must name still, None for no release.
            why: the reason, for the history.
            decision: id of the report on the decision, for the history.

        Raises:
            PublicationError: as of `publish`, or another release waits on the channel.
        """
        placement = Placement(release, channel, expected, production, judged_against, is_staged=True)
        self._place(replace(placement, why=why, decision=decision))

    def approve(self, release_id: str, by: str, why: str, channel: str | None = None, *, anyway: bool = False) -> str:
        """Make a channel name a release that waits, or was held back; no other channel keeps it waiting.

        Args:
            release_id: that is approved.
            by: who approves.
            why: the reason.
            channel: that devices follow; without it the one that the release waits for, or that of its use case.
            anyway: also where production is another release by now than the one that was judged against.

        Returns:
            The channel.

        Raises:
            PublicationError: the release is not here or is of another use case, a channel is pinned, no channel is
                meant, or production is another release by now than the one that was judged against.
        """
        with self.store.errors():
            catalogue = self._catalogue()
            channel = channel or decisions.channel_for(catalogue, release_id)
            decisions.approve(catalogue, release_id, channel, Person(by, why), anyway=anyway)
        return channel

    def reject(self, release_id: str, by: str, why: str) -> None:
        """Note that a release is not to be used: no run offers it again, and no channel keeps it waiting.

        Raises:
            PublicationError: the release is not here, a channel that devices follow names it, or one on which it waits
                is pinned.
        """
        with self.store.errors():
            decisions.reject(self._catalogue(), release_id, Person(by, why))

    def rollback(self, channel: str | None, release_id: str, by: str, why: str) -> str:
        """Make a channel name an older release again, as a newer state that devices accept.

        Args:
            channel: that devices follow; None for that of the release's use case.
            release_id: that was live on it before.
            by: who decides.
            why: the reason.

        Returns:
            The channel.

        Raises:
            PublicationError: the release is not here, is of another use case, was never live on the channel or was
                rejected, the channel is pinned, or no channel is meant.
        """
        with self.store.errors():
            catalogue = self._catalogue()
            channel = channel or decisions.channel_for(catalogue, release_id)
            decisions.roll_back(catalogue, release_id, channel, Person(by, why))
        return channel

    def pin(self, channel: str, by: str, why: str) -> None:
        """Keep a channel at what it names: nothing is put on it or taken from it until it is unpinned.

        Raises:
            PublicationError: there is no such channel.
        """
        with self.store.errors():
            decisions.set_pin(self._catalogue(), channel, Person(by, why), pinned=True)

    def unpin(self, channel: str, by: str, why: str) -> None:
        """Let a pinned channel go on.

        Raises:
            PublicationError: there is no such channel, or it is not pinned.
        """
        with self.store.errors():
            decisions.set_pin(self._catalogue(), channel, Person(by, why), pinned=False)

    def current(self, channel: str) -> str | None:
        """Return the release that `channel` names, or None.

        Raises:
            PublicationError: the repository cannot be read, or is not what these keys signed.
        """
        with self.store.errors():
            return self._catalogue().release_of(channel)

    def history(self) -> History:
        """Return what happened to the channels, oldest first.

        Raises:
            PublicationError: the repository cannot be read, or is not what these keys signed.
        """
        with self.store.errors():
            return self._catalogue().history

    def is_held(self, release_id: str, channel: str) -> str | None:
        """Return why a run must not put a release on a channel, None where it may.

        A release is held that a person rejected or rolled back from, until a person puts it back.

        Raises:
            PublicationError: the repository cannot be read, or is not what these keys signed.
        """
        return self.history().held(release_id, channel)

    def refresh(self) -> None:
        """Sign the whole state again; run it by a schedule.

        Where the key of targets is not here, the list keeps its signature until half of its time is over: a schedule
        needs the keys of snapshot and timestamp alone.

        Raises:
            PublicationError: another publisher was first, or the repository cannot be written.
        """
        with self.store.errors():
            state = self.store.state()
            check_unexpired(state.root)
            signing = Signing(self.keys, state.root)
            signing.check(("snapshot", "timestamp"))
            anew = signing.can("targets") or _short(state, self.store.expiries)
            targets = state.targets.targets if anew else state.snapshot.meta[TARGETS]
            self.store.switch(state.root, targets, state.version, state.timestamp_bytes, signing)

    def exists(self) -> bool:
        """Return True if there is a repository at the address.

        Raises:
            PublicationError: it cannot be read.
        """
        with self.store.errors():
            return self.store.files.size(LIVE) is not None

    def expires(self) -> dict[str, datetime]:
        """Return when the newest signature of each role expires.

        Raises:
            PublicationError: the repository cannot be read, or is not what these keys signed.
        """
        with self.store.errors():
            state = self.store.state()
        signed = (state.root, state.targets, state.snapshot, state.timestamp)
        return {part.type: part.expires for part in signed}

    def releases(self) -> list[Published]:
        """Return every release of the repository, newest first.

        Raises:
            PublicationError: the repository cannot be read, or is not what these keys signed.
        """
        with self.store.errors():
            catalogue = self._catalogue()
            channels: dict[str, list[str]] = {}
            for channel, release in catalogue.channels.items():
                channels.setdefault(release, []).append(channel)
            manifests = catalogue.manifests()
        listed = [_published(identity, manifests[identity], channels) for identity in manifests]
        return sorted(listed, key=lambda release: (release.created, release.id), reverse=True)

    def manifest(self, release_id: str) -> ReleaseManifest:
        """Return the manifest of a release.

        Raises:
            PublicationError: it is not there, or is altered.
        """
        with self.store.errors():
            return self._catalogue().manifest(release_id)

    def fetch(self, release_id: str, folder: Path) -> Release:
        """Download a release into `folder`, which must be absent or empty, and check it.

        Raises:
            PublicationError: it is not there, or is altered; nothing is left at `folder`.
        """
        if not is_free(folder):
            raise PublicationError(f"{folder} exists already: name another folder for release {release_id}.")
        with self.store.errors():
            state = self.store.state()
            data = self.store.download(state, manifest_path(release_id))
            with new_folder(folder) as staging:
                for name, entry in self._fetched_files(state, data, release_id):
                    (staging / name).write_bytes(self.store.download(state, file_path(name, entry)))
                (staging / MANIFEST_FILE).write_bytes(data)
                open_release(staging, release_id)
                staging.chmod(0o755)
            return open_release(folder, release_id)

    def _fetched_files(self, state: State, data: bytes, release_id: str) -> list[tuple[str, FileEntry]]:
        """Return the files of a release that are listed; what enrolment needs may have been lost."""
        files = parse_manifest(data, manifest_path(release_id)).published_files.items()
        listed = state.targets.targets
        return [(name, entry) for name, entry in files if name != ENROLMENT_FILE or file_path(name, entry) in listed]

    def _place(self, placement: Placement) -> None:
        """Upload a release and let its channel name it, if nothing speaks against it."""
        with self.store.errors():
            release = open_release(placement.release.folder, placement.release.id)
            catalogue = self._catalogue()
            placement.check(catalogue)
            change = Change(catalogue)
            for path, data in _contents(release, placement.channel):
                change.add(path, data)
            placement.note(change)
            change.commit()
            self._complete(release, change)

    def _catalogue(self) -> Catalogue:
        return Catalogue(self.store, self.store.state())

    def _make_root(self) -> None:
        """Sign the first root and keep it, once it was checked."""
        if not self.store.is_empty() or self.store.files.read(root_file(1)) is not None:
            raise PublicationError(
                f"{self.root} is missing although {self.url} has a root: run `discern release repair`, or name the "
                "keys."
            )
        signers = {role: key_files.signer_for(self.keys, role) for role in key_files.ROLES}
        root = first_root(
            {role: key_files.key_of(signer) for role, signer in signers.items()},
            expires_after(self.store.expiries.root),
        )
        data = sign_with([signers["root"]], root)
        check_root(data)
        write_file(key_files.address(self.keys, f"{root.version}.{key_files.ROOT_FILE}"), data)
        write_file(self.root, data)

    def _complete(self, release: Release, change: Change) -> None:
        """Write what somebody deleted since it was found there: a collection may have run at the same time.

        What was listed before is not collected while the list is what this change was made from.
        """
        for path, data in _contents(release, None):
            name = stored_name(change.targets[path])
            if path not in change.catalogue.targets and self.store.files.size(name) != len(data):
                self.store.files.replace(name, data)


def _contents(release: Release, channel: str | None) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every target of a release, and of the pointer that makes `channel` name it."""
    for name, entry in release.manifest.published_files.items():
        yield file_path(name, entry), _read(release, name, entry)
    yield manifest_path(release.id), (release.folder / MANIFEST_FILE).read_bytes()
    if channel is not None:
        yield channel_path(channel), make_pointer(release.id)


def _read(release: Release, name: str, entry: FileEntry) -> bytes:
    """Read a file of a release; one that devices do not need was not checked when the release was opened."""
    try:
        data = (release.folder / name).read_bytes()
    except FileNotFoundError:
        raise PublicationError(f"{release.folder / name} is missing: build the release again.") from None
    if sha256_bytes(data) != entry.sha256:
        raise PublicationError(f"{release.folder / name} was altered: build the release again.")
    return data


def _published(identity: str, manifest: ReleaseManifest, channels: Mapping[str, Sequence[str]]) -> Published:
    created = manifest.created.isoformat(timespec="seconds")
    return Published(identity, manifest.name, created, tuple(sorted(channels.get(identity, ()))))


def _short(state: State, expiries: Expiries) -> bool:
    """Return True if half of the time that the targets were signed for is over."""
    return state.targets.is_expired(datetime.now(timezone.utc) + expiries.targets / 2)
