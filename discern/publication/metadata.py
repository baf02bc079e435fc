"""The signed metadata of a repository, without any file or network: bytes in, a verdict or new bytes out.

Rules kept:
- what the repository says is checked against the publisher's own copy of the root before anything is built on it;
- every change makes a new snapshot and a new timestamp, so that of two writers one loses on the snapshot's name;
- lengths and hashes are stated throughout, so metadata of two states cannot be mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from discern.errors import PublicationError
from discern.publication.keys import ROLES, public_key, signer_for

HASHES = ["sha256"]
SNAPSHOT = "snapshot.json"
TARGETS = "targets.json"
TIMESTAMP = "timestamp.json"


@dataclass(frozen=True)
class Expiries:
    """Lifetimes of signatures."""

    root: timedelta = timedelta(days=5 * 365)
    targets: timedelta = timedelta(days=2 * 365)
    snapshot: timedelta = timedelta(days=365)
    # The device's only sign that it is kept from news: short, and renewed by `discern release refresh`.
    timestamp: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class State:
    """The checked state of a repository: the signed parts, and the timestamp's bytes as they were read."""

    targets: Targets
    snapshot: Snapshot
    timestamp: Timestamp
    timestamp_bytes: bytes


def make_root(keys: str | Path, expiries: Expiries) -> bytes:
    """Sign the first root: one key a role, threshold 1, consistent snapshots.

    Raises:
        PublicationError: a key is missing or damaged.
    """
    root = Root(expires=_in(expiries.root), consistent_snapshot=True)
    for role in ROLES:
        root.add_key(public_key(keys, role), role)
    return sign(keys, root)


def sign(keys: str | Path, content: Root | Targets | Snapshot | Timestamp) -> bytes:
    """Sign `content` with the key of its role and return the metadata file's bytes.

    Raises:
        PublicationError: the key is missing, damaged or refused.
    """
    metadata: Metadata[Any] = Metadata(content)
    metadata.sign(signer_for(keys, content.type))
    return metadata.to_bytes()


def check_root(data: bytes) -> Root:
    """Return the root in `data`, whose signature must be its own.

    Raises:
        PublicationError: it is not a root, or not signed by its own key.
    """
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(data)
        if metadata.signed.type != Root.type:
            raise ValueError(f"it is a {metadata.signed.type}")
        metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise PublicationError(f"root.json is not a root that signs itself ({error}): restore it.") from None
    root: Root = metadata.signed
    return root


def check_state(root: Root, timestamp: bytes, read: Callable[[str], bytes]) -> State:
    """Check the state of a repository, from its timestamp down to its targets; expiry is the devices' matter.

    Args:
        root: the root that is trusted.
        timestamp: the bytes of timestamp.json.
        read: returns the bytes of another metadata file by its name.

    Raises:
        PublicationError: a signature, a version, a length or a hash is wrong.
    """
    try:
        signed_timestamp: Metadata[Timestamp] = _signed_by(root, "timestamp", timestamp)
        listed = signed_timestamp.signed.snapshot_meta
        snapshot: Metadata[Snapshot] = _listed(root, "snapshot", listed, read(f"{listed.version}.{SNAPSHOT}"))
        listed = snapshot.signed.meta[TARGETS]
        targets: Metadata[Targets] = _listed(root, "targets", listed, read(f"{listed.version}.{TARGETS}"))
    except (RepositoryError, ValueError, KeyError) as error:
        raise PublicationError(
            f"the repository's metadata is not what these keys signed ({error}): restore it before publishing."
        ) from None
    return State(targets.signed, snapshot.signed, signed_timestamp.signed, timestamp)


def make_targets(keys: str | Path, version: int, targets: Mapping[str, TargetFile], expiries: Expiries) -> bytes:
    """Sign a list of targets."""
    return sign(keys, Targets(version=version, expires=_in(expiries.targets), targets=dict(targets)))


def make_snapshot(keys: str | Path, version: int, targets: MetaFile, expiries: Expiries) -> bytes:
    """Sign a snapshot that names one list of targets."""
    return sign(keys, Snapshot(version=version, expires=_in(expiries.snapshot), meta={TARGETS: targets}))


def make_timestamp(keys: str | Path, version: int, snapshot: MetaFile, expiries: Expiries) -> bytes:
    """Sign a timestamp that names one snapshot."""
    return sign(keys, Timestamp(version=version, expires=_in(expiries.timestamp), snapshot_meta=snapshot))


def described(version: int, data: bytes) -> MetaFile:
    """Return the version, length and hash by which one metadata file names another."""
    return MetaFile.from_data(version, data, HASHES)


def _listed(root: Root, role: str, named: MetaFile, data: bytes) -> Metadata[Any]:
    named.verify_length_and_hashes(data)
    metadata = _signed_by(root, role, data)
    if metadata.signed.version != named.version:
        raise ValueError(f"{role} has version {metadata.signed.version}, expected {named.version}")
    return metadata


def _signed_by(root: Root, role: str, data: bytes) -> Metadata[Any]:
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    if metadata.signed.type != role:
        raise ValueError(f"{metadata.signed.type} where {role} was expected")
    root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    return metadata


def _in(duration: timedelta) -> datetime:
    return datetime.now(timezone.utc) + duration
