"""A signed repository in a folder or a bucket: its state is read and checked, and changed as a whole.

    metadata/N.root.json N.targets.json N.snapshot.json timestamp.json
    targets/...                                each with the hash of its content before its name

Rules kept:
- files first, then targets and snapshot: a change goes live when the one small timestamp is replaced, and it is
  replaced only while it is what the change was made from;
- the whole next state is checked against the trusted root before any of its metadata is written;
- nothing but the timestamp is ever written over, and nothing is deleted (`discern.publication.collection` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import MetaFile, Root, TargetFile

from discern.errors import PublicationError
from discern.publication import keys as key_files
from discern.publication.history import PATH as HISTORY
from discern.publication.metadata import (
    HASHES,
    SIGNING_ROLES,
    TIMESTAMP,
    Expiries,
    NextState,
    State,
    check_state,
    next_version,
    sign_state,
)
from discern.publication.roots import check_root, check_unexpired, follow
from discern.publication.signing import Signing
from discern.storage.causes import cause
from discern.storage.remote import Storage
from edge_runtime.errors import EdgeError

METADATA, CONTENT = "metadata", "targets"  # folders of a repository
LIVE = f"{METADATA}/{TIMESTAMP}"
DRAWS = 10  # of a version whose file names are free


class SignedStore:
    """The signed files below `url`.

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
            self.files = Storage(url)
        except OSError as error:
            raise PublicationError(str(error)) from None

    @property
    def root_address(self) -> str:
        """The address of the publisher's copy of the newest root."""
        return key_files.address(self.keys, key_files.ROOT_FILE)

    def root(self) -> Root:
        """Return the newest root, from the publisher's own copy on through those of the repository, as devices do.

        Raises:
            PublicationError: the copy or a root of the repository is missing or is not what it should be.
        """
        data = self.own_root()
        root = check_root(data)
        stored = self.files.read(root_file(root.version))
        if stored is None and not self.is_empty():
            raise PublicationError(f"{self.url}/{root_file(root.version)} is missing: run `discern release repair`.")
        if stored not in (None, data):
            raise self._other_root(root.version, stored or b"")
        while (data_of_next := self.files.read(root_file(root.version + 1))) is not None:
            root = follow(root, data_of_next)
        return root

    def _other_root(self, version: int, stored: bytes) -> PublicationError:
        try:
            check_root(stored)
        except PublicationError:
            return PublicationError(f"{self.url}/{root_file(version)} was altered: run `discern release repair`.")
        return PublicationError(f"{self.url} was made with other keys than those in {self.keys}: name its own keys.")

    def own_root(self) -> bytes:
        """Return the publisher's copy of the root.

        Raises:
            PublicationError: it cannot be read.
        """
        try:
            return key_files.read(self.keys, key_files.ROOT_FILE)
        except FileNotFoundError:
            mend = "discern release init" if self.is_empty() else "discern release repair"
            raise PublicationError(f"{self.root_address} is missing: run `{mend}`, or name the keys.") from None
        except (OSError, BotoCoreError) as error:
            raise PublicationError(f"{self.root_address} cannot be read ({key_files.reason(error)}).") from None

    def state(self) -> State:
        """Return the live state.

        Raises:
            PublicationError: there is none, or it is not what the root's keys signed.
        """
        return self.state_under(self.root())

    def state_under(self, root: Root) -> State:
        """Return the live state, as far as a root vouches for it.

        Raises:
            PublicationError: there is none, or it is not what the root's keys signed.
        """
        timestamp = self.files.read(LIVE)
        if timestamp is None:
            if self.is_empty():
                raise PublicationError(f"{self.url} is not a repository yet: run `discern release init`.")
            raise PublicationError(f"{self.url}/{LIVE} is missing: run `discern release repair`.")
        return check_state(root, timestamp, self.read_metadata)

    def is_empty(self) -> bool:
        """Return True where nothing was ever published: there is neither a timestamp nor any content."""
        return self.files.size(LIVE) is None and not self.files.files(CONTENT)

    def read_metadata(self, name: str) -> bytes:
        """Return a metadata file.

        Raises:
            PublicationError: it is missing.
        """
        data = self.files.read(f"{METADATA}/{name}")
        if data is None:
            raise PublicationError(f"{self.url}/{METADATA}/{name} is missing: run `discern release repair`.")
        return data

    def signing(self, root: Root) -> Signing:
        """Return what signs a change, after a look at the root and at the keys.

        Raises:
            PublicationError: the root has expired, or does not name the keys that are here.
        """
        check_unexpired(root)
        signing = Signing(self.keys, root)
        signing.check(SIGNING_ROLES)
        return signing

    def switch(
        self,
        root: Root,
        targets: Mapping[str, TargetFile] | MetaFile,
        previous: int,
        before: bytes | None,
        signing: Signing,
    ) -> None:
        """Sign and check a state, write its files, and make it live if the timestamp still is `before`.

        Args:
            root: the newest one.
            targets: the list, or what names the list that stays.
            previous: the highest version that is known to have been live.
            before: content of the timestamp that this state was made from; None where there is none.
            signing: what signs.

        Raises:
            PublicationError: another publisher was first, or the repository cannot be written.
        """
        built = self._signed(root, targets, previous, signing)
        if self.files.read(LIVE) != before:
            raise self.lost()
        for name, data in built.numbered.items():
            path = f"{METADATA}/{name}"
            if not self.files.create(path, data) or self.files.read(path) != data:
                raise self.lost()
        if not self.files.replace_if(LIVE, before, built.timestamp):
            raise self.lost()

    def _signed(
        self, root: Root, targets: Mapping[str, TargetFile] | MetaFile, previous: int, signing: Signing
    ) -> NextState:
        for _ in range(DRAWS):
            built = sign_state(signing, next_version(previous), targets, self.expiries)
            if all(self.files.size(f"{METADATA}/{name}") is None for name in built.numbered):
                check_state(root, built.timestamp, partial(self._built_or_stored, built.numbered))
                return built
        raise PublicationError(f"{self.url}/{METADATA} has files of versions to come: set this machine's clock.")

    def _built_or_stored(self, built: Mapping[str, bytes], name: str) -> bytes:
        return built[name] if name in built else self.read_metadata(name)

    def lost(self) -> PublicationError:
        """Return the error of a publisher that was not the first."""
        return PublicationError(
            f"another publisher changed {self.url} in the meantime, and nothing of this change is visible: run it "
            "again."
        )

    def upload(self, state: State | None, path: str, data: bytes) -> TargetFile:
        """Write the content of a target, unless the live list has it and it lies there whole.

        What the live list does not have is written anew, even where it lies there: it may be about to be collected.
        """
        target = TargetFile.from_data(path, data, HASHES)
        name = stored_name(target)
        is_live = state is not None and state.targets.targets.get(path) == target
        # The name holds the content's hash, yet what lies there may be cut off or altered: publishing again mends it.
        if not (is_live and self.files.read(name) == data):
            self.files.replace(name, data)
        return target

    def download(self, state: State, path: str) -> bytes:
        """Return the content of a target of a state.

        Raises:
            PublicationError: it is not in the list, or is missing or altered.
        """
        target = state.targets.targets.get(path)
        if target is None:
            raise PublicationError(f"{path} is not in {self.url}: `discern release list` shows which releases are.")
        return self.read_target(target)

    def read_target(self, target: TargetFile) -> bytes:
        """Return the content of a target.

        Raises:
            PublicationError: it is missing or altered.
        """
        name = f"{self.url}/{stored_name(target)}"
        data = self.files.read(stored_name(target))
        again = "" if target.path == HISTORY else "publish the release again, or "
        if data is None:
            raise PublicationError(f"{name} is missing: {again}run `discern release repair`.")
        try:
            target.verify_length_and_hashes(data)
        except RepositoryError:
            raise PublicationError(f"{name} was altered: {again}run `discern release repair`.") from None
        return data

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Tell what a device's code, a folder or a bucket refuses as one sentence.

        Raises:
            PublicationError: something of the kind happened within.
        """
        try:
            yield
        except EdgeError as error:
            raise PublicationError(str(error)) from error
        except (OSError, BotoCoreError, ClientError) as error:
            why, mend = cause(error)
            raise PublicationError(f"{self.url} cannot be read or written ({why}): {mend}.") from error


def root_file(version: int) -> str:
    """Return the name of a root in a repository."""
    return f"{METADATA}/{version}.root.json"


def stored_name(target: TargetFile) -> str:
    """Return where a target's content lies: consistent snapshots put its hash before its name."""
    return f"{CONTENT}/{target.get_prefixed_paths()[0]}"
