"""A repository of releases that devices pull from: signed by The Update Framework, in a folder or a bucket.

    metadata/N.root.json N.targets.json N.snapshot.json timestamp.json
    targets/channels/HASH.CHANNEL.json         the pointer: which release the channel names
    targets/releases/ID/HASH.release.json      the manifest
    targets/files/HASH/HASH.NAME               the files, by content, so releases share what they have in common

Rules kept:
- files first, then targets, snapshot and timestamp: a release goes live when the one small timestamp changes;
- nothing but the timestamp is ever written over;
- numbered metadata is created exclusively, so of two publishers at once one loses with a clear error;
- a rollback is a newer state that names an older release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from botocore.exceptions import BotoCoreError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import MetaFile, TargetFile

from discern.errors import PublicationError
from discern.publication import keys as key_files
from discern.publication.metadata import (
    HASHES,
    TARGETS,
    Expiries,
    State,
    check_root,
    check_state,
    described,
    make_root,
    make_snapshot,
    make_targets,
    make_timestamp,
)
from discern.storage.atomic_folder import is_free, new_folder
from discern.storage.remote import Storage, write_file
from edge_runtime.core.release import MANIFEST_FILE, Release, ReleaseManifest, open_release, parse_manifest
from edge_runtime.device.repository_paths import channel_path, file_path, make_pointer, manifest_path, parse_pointer
from edge_runtime.errors import EdgeError

TIMESTAMP = "metadata/timestamp.json"
STALE = 600.0  # seconds after which numbered metadata that never went live counts as left by a publisher that died
TRIES = 100  # left-over numbers that are skipped at most


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
        self.url = url
        self.keys = str(keys)
        self.expiries = expiries or Expiries()
        try:
            self._storage = Storage(url)
        except OSError as error:
            raise PublicationError(str(error)) from None

    @property
    def root(self) -> str:
        """The address of the root of trust that devices are given once; public."""
        return key_files.address(self.keys, key_files.ROOT_FILE)

    def initialise(self) -> None:
        """Make keys, root and the first metadata; what exists is kept, so it may be called again.

        Raises:
            PublicationError: the repository exists under another root, or cannot be written.
        """
        with self._errors():
            key_files.make_keys(self.keys)
            published = self._storage.read("metadata/1.root.json")
            if not key_files.exists(self.keys, key_files.ROOT_FILE):
                if published is not None:
                    raise PublicationError(f"{self.root} is missing although {self.url} has a root: restore the keys.")
                write_file(self.root, make_root(self.keys, self.expiries))
            data = key_files.read(self.keys, key_files.ROOT_FILE)
            check_root(data)
            if not self._storage.create("metadata/1.root.json", data):
                self._check_same_root(data)
            if self._storage.read(TIMESTAMP) is None:
                self._commit(None, {})

    def publish(self, release: Release, channel: str) -> None:
        """Upload a release and make `channel` name it. Publishing the same again changes nothing.

        Raises:
            PublicationError: the release is altered, another publisher is at work, or the repository cannot be written.
        """
        with self._errors():
            release = open_release(release.folder, release.id)
            state = self._state()
            targets = dict(state.targets.targets)
            for path, data in _contents(release, channel):
                targets[path] = self._upload(path, data)
            self._commit_if_changed(state, targets)

    def current(self, channel: str) -> str | None:
        """Return the release that `channel` names, or None.

        Raises:
            PublicationError: the repository cannot be read, or is not what these keys signed.
        """
        with self._errors():
            return self._named_by(self._state(), channel)

    def rollback(self, channel: str, release_id: str) -> None:
        """Make `channel` name an older release again, as a newer state that devices accept.

        Raises:
            PublicationError: the release was never published here.
        """
        with self._errors():
            state = self._state()
            if manifest_path(release_id) not in state.targets.targets:
                raise PublicationError(f"release {release_id} is not in {self.url}: `list` shows which are.")
            path = channel_path(channel)
            targets = {**state.targets.targets, path: self._upload(path, make_pointer(release_id))}
            self._commit_if_changed(state, targets)

    def refresh(self) -> None:
        """Sign snapshot and timestamp again, and targets where half of their time is over; run it by a schedule.

        Raises:
            PublicationError: another publisher is at work, or the repository cannot be written.
        """
        with self._errors():
            self._commit(self._state(), None)

    def exists(self) -> bool:
        """Return True if there is a repository at the address.

        Raises:
            PublicationError: it cannot be read.
        """
        with self._errors():
            return self._storage.size(TIMESTAMP) is not None

    def expires(self) -> dict[str, datetime]:
        """Return when the newest signature of each role expires.

        Raises:
            PublicationError: the repository cannot be read, or is not what these keys signed.
        """
        with self._errors():
            state = self._state()
            root = key_files.read(self.keys, key_files.ROOT_FILE)
            self._check_same_root(root)
        signed = (check_root(root), state.targets, state.snapshot, state.timestamp)
        return {part.type: part.expires for part in signed}

    def releases(self) -> list[Published]:
        """Return every release of the repository, newest first.

        Raises:
            PublicationError: the repository cannot be read, or is not what these keys signed.
        """
        with self._errors():
            state = self._state()
            channels = self._channels(state)
            manifests = self._manifests(state)
        listed = [_published(identity, manifests[identity], channels) for identity in manifests]
        return sorted(listed, key=lambda release: (release.created, release.id), reverse=True)

    def fetch(self, release_id: str, folder: Path) -> Release:
        """Download a release into `folder`, which must be absent or empty, and check it.

        Raises:
            PublicationError: it is not there, or is altered; nothing is left at `folder`.
        """
        if not is_free(folder):
            raise PublicationError(f"{folder} exists already: name another folder for release {release_id}.")
        with self._errors():
            state = self._state()
            data = self._download(state, manifest_path(release_id))
            with new_folder(folder) as staging:
                for name, entry in parse_manifest(data, manifest_path(release_id)).files.items():
                    (staging / name).write_bytes(self._download(state, file_path(name, entry)))
                (staging / MANIFEST_FILE).write_bytes(data)
                open_release(staging, release_id)
                staging.chmod(0o755)
            return open_release(folder, release_id)

    def _state(self) -> State:
        try:
            root = check_root(key_files.read(self.keys, key_files.ROOT_FILE))
        except OSError as error:
            raise PublicationError(
                f"{self.root} cannot be read ({key_files.reason(error)}): run `discern release init`."
            ) from None
        timestamp = self._storage.read(TIMESTAMP)
        if timestamp is None:
            raise PublicationError(f"{self.url} is not a repository yet: run `discern release init`.")
        return check_state(root, timestamp, self._read_metadata)

    def _read_metadata(self, name: str) -> bytes:
        data = self._storage.read(f"metadata/{name}")
        if data is None:
            raise PublicationError(f"{self.url}/metadata/{name} is missing: restore it before publishing.")
        return data

    def _check_same_root(self, data: bytes) -> None:
        if self._storage.read("metadata/1.root.json") != data:
            raise PublicationError(f"{self.url} was made with other keys than those in {self.keys}: name its own keys.")

    def _commit_if_changed(self, state: State, targets: dict[str, TargetFile]) -> None:
        if targets != state.targets.targets:
            self._commit(state, targets)

    def _commit(self, state: State | None, targets: dict[str, TargetFile] | None) -> None:
        """Write the next state: `targets` None keeps the list and signs it again only where its time runs short."""
        claimed: list[str] = []
        try:
            listed = self._claim_targets(state, targets, claimed)
            snapshot = self._claim(
                "snapshot",
                1 if state is None else state.snapshot.version + 1,
                lambda number: make_snapshot(self.keys, number, listed, self.expiries),
                claimed,
            )
            if self._storage.read(TIMESTAMP) != (None if state is None else state.timestamp_bytes):
                raise self._lost()
        except PublicationError:
            for name in claimed:
                self._storage.delete(name)
            raise
        number = 1 if state is None else state.timestamp.version + 1
        self._storage.replace(TIMESTAMP, make_timestamp(self.keys, number, snapshot, self.expiries))

    def _claim_targets(
        self, state: State | None, targets: dict[str, TargetFile] | None, claimed: list[str]
    ) -> MetaFile:
        """Return the description of the list of targets: a new one, or the one of `state` where it may stay."""
        if state is None:
            first, content = 1, targets or {}
        elif targets is None and not _short(state, self.expiries):
            return state.snapshot.meta[TARGETS]
        else:
            first, content = state.targets.version + 1, state.targets.targets if targets is None else targets
        return self._claim(
            "targets", first, lambda number: make_targets(self.keys, number, content, self.expiries), claimed
        )

    def _claim(self, role: str, first: int, make: Callable[[int], bytes], claimed: list[str]) -> MetaFile:
        """Create the next numbered metadata file of `role`, from number `first` on, and return its description.

        Numbers left by a publisher that died are skipped. The file's name is added to `claimed`.
        """
        for number in range(first, first + TRIES):
            name = f"metadata/{number}.{role}.json"
            data = make(number)
            if self._storage.create(name, data):
                claimed.append(name)
                return described(number, data)
            if self._storage.age(name) < STALE:
                raise self._lost()
        raise PublicationError(f"{self.url}/metadata holds {TRIES} {role} files that never went live: delete them.")

    def _lost(self) -> PublicationError:
        return PublicationError(
            f"another publisher is changing {self.url}: run it again in a moment; after one that was cut off, "
            f"in {STALE / 60:.0f} minutes."
        )

    def _upload(self, path: str, data: bytes) -> TargetFile:
        target = TargetFile.from_data(path, data, HASHES)
        name = _stored(target)
        # The name holds the content's hash, yet what lies there may be cut off or altered: publishing again mends it.
        if self._storage.size(name) != len(data) or self._storage.read(name) != data:
            self._storage.replace(name, data)
        return target

    def _download(self, state: State, path: str) -> bytes:
        target = state.targets.targets.get(path)
        if target is None:
            raise PublicationError(f"{path} is not in {self.url}: `list` shows which releases are.")
        data = self._storage.read(_stored(target))
        if data is None:
            raise PublicationError(f"{self.url}/{_stored(target)} is missing: publish the release again.")
        try:
            target.verify_length_and_hashes(data)
        except RepositoryError:
            raise PublicationError(f"{self.url}/{_stored(target)} was altered: publish the release again.") from None
        return data

    def _named_by(self, state: State, channel: str) -> str | None:
        path = channel_path(channel)
        return parse_pointer(self._download(state, path), path) if path in state.targets.targets else None

    def _channels(self, state: State) -> dict[str, list[str]]:
        """Return the channels that name each release."""
        channels: dict[str, list[str]] = {}
        for path in state.targets.targets:
            if path.startswith("channels/"):
                channel = Path(path).stem
                channels.setdefault(self._named_by(state, channel) or "", []).append(channel)
        return channels

    def _manifests(self, state: State) -> dict[str, ReleaseManifest]:
        """Return the manifest of each release by its id."""
        paths = [path for path in state.targets.targets if path.startswith("releases/")]
        return {path.split("/")[1]: parse_manifest(self._download(state, path), path) for path in paths}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except EdgeError as error:
            raise PublicationError(str(error)) from error
        except (OSError, BotoCoreError) as error:
            raise PublicationError(
                f"{self.url} cannot be read or written ({error}): check the address and the rights."
            ) from error


def _contents(release: Release, channel: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every target of a release, and of the pointer that makes `channel` name it."""
    for name, entry in release.manifest.files.items():
        yield file_path(name, entry), (release.folder / name).read_bytes()
    yield manifest_path(release.id), (release.folder / MANIFEST_FILE).read_bytes()
    yield channel_path(channel), make_pointer(release.id)


def _published(identity: str, manifest: ReleaseManifest, channels: Mapping[str, Sequence[str]]) -> Published:
    created = manifest.created.isoformat(timespec="seconds")
    return Published(identity, manifest.name, created, tuple(sorted(channels.get(identity, ()))))


def _stored(target: TargetFile) -> str:
    """Return where a target's content lies: consistent snapshots put its hash before its name."""
    return f"targets/{target.get_prefixed_paths()[0]}"


def _short(state: State, expiries: Expiries) -> bool:
    """Return True if half of the time that the targets were signed for is over."""
    return state.targets.is_expired(datetime.now(timezone.utc) + expiries.targets / 2)
