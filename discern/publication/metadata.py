"""The signed metadata of a repository, without any file or network: bytes in, a verdict or new bytes out.

Rules kept:
- what the repository says is checked against the publisher's own copy of the root before anything is built on it;
- what was signed is checked in the same way before anybody sees it;
- every change makes a new snapshot and a new timestamp, and versions are drawn: two publishers never use one name, and
  a repository that was restored from a backup, or lost its timestamp, goes on above what devices have seen;
- lengths and hashes are stated throughout, so metadata of two states cannot be mixed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from discern.errors import PublicationError
from discern.publication.signing import Signing

HASHES = ["sha256"]
SNAPSHOT = "snapshot.json"
TARGETS = "targets.json"
TIMESTAMP = "timestamp.json"
SIGNING_ROLES = ("targets", "snapshot", "timestamp")  # that sign a change


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

    root: Root
    targets: Targets
    snapshot: Snapshot
    timestamp: Timestamp
    timestamp_bytes: bytes

    @property
    def version(self) -> int:
        """The highest version of its parts."""
        return max(self.targets.version, self.snapshot.version, self.timestamp.version)


@dataclass(frozen=True)
class NextState:
    """A signed state that nobody sees yet.

    Attributes:
        numbered: the metadata files that are written first, by name.
        timestamp: the content of timestamp.json, which makes it live.
    """

    numbered: Mapping[str, bytes]
    timestamp: bytes


def next_version(previous: int) -> int:
    """Draw a version above `previous`: the microseconds since 1970 with three digits at random, below 2**53."""
    return max(previous + 1, time.time_ns() // 1_000_000 * 1_000 + secrets.randbelow(1_000))


def sign_state(
    signing: Signing, version: int, targets: Mapping[str, TargetFile] | MetaFile, expiries: Expiries
) -> NextState:
    """Sign the next state.

    Args:
        signing: what signs.
        version: of all of its new files, see `next_version`.
        targets: the new list of targets; or what names the list that stays.
        expiries: how long the signatures are good for.

    Raises:
        PublicationError: a key is missing, damaged or refused.
    """
    numbered: dict[str, bytes] = {}
    if isinstance(targets, MetaFile):
        listed = targets
    else:
        content = Targets(version=version, expires=expires_after(expiries.targets), targets=dict(targets))
        numbered[f"{version}.{TARGETS}"] = signing.sign(content)
        listed = _described(version, numbered[f"{version}.{TARGETS}"])
    snapshot = signing.sign(Snapshot(version=version, expires=expires_after(expiries.snapshot), meta={TARGETS: listed}))
    numbered[f"{version}.{SNAPSHOT}"] = snapshot
    named = _described(version, snapshot)
    timestamp = Timestamp(version=version, expires=expires_after(expiries.timestamp), snapshot_meta=named)
    return NextState(numbered, signing.sign(timestamp))


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
        signed_timestamp: Metadata[Timestamp] = signed_by(root, "timestamp", timestamp)
        listed = signed_timestamp.signed.snapshot_meta
        snapshot: Metadata[Snapshot] = _listed(root, "snapshot", listed, read(f"{listed.version}.{SNAPSHOT}"))
        listed = snapshot.signed.meta[TARGETS]
        targets: Metadata[Targets] = _listed(root, "targets", listed, read(f"{listed.version}.{TARGETS}"))
    except (RepositoryError, ValueError, KeyError) as error:
        raise PublicationError(
            f"the repository's metadata is not what these keys signed ({error}): run `discern release repair`."
        ) from None
    return State(root, targets.signed, snapshot.signed, signed_timestamp.signed, timestamp)


def signed_by(root: Root, role: str, data: bytes) -> Metadata[Any]:
    """Return the metadata in `data`, which must be of `role` and signed by its keys.

    Raises:
        RepositoryError, ValueError: it is not.
    """
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    if metadata.signed.type != role:
        raise ValueError(f"{metadata.signed.type} where {role} was expected")
    root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    return metadata


def expires_after(duration: timedelta) -> datetime:
    """Return the time at which a signature of now expires, to the second."""
    return (datetime.now(timezone.utc) + duration).replace(microsecond=0)


def _described(version: int, data: bytes) -> MetaFile:
    """Return the version, length and hash by which one metadata file names another."""
    return MetaFile.from_data(version, data, HASHES)


def _listed(root: Root, role: str, named: MetaFile, data: bytes) -> Metadata[Any]:
    named.verify_length_and_hashes(data)
    metadata = signed_by(root, role, data)
    if metadata.signed.version != named.version:
        raise ValueError(f"{role} has version {metadata.signed.version}, expected {named.version}")
    return metadata
