"""The roots of trust of a repository, without any file or network: which keys each role has, and who vouches for that.

Rules kept:
- a root signs itself, and the next one is signed by the keys of both, as devices check it;
- a role never has fewer keys than it needs.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from securesystemslib.signer import Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from discern.errors import PublicationError

SOON = timedelta(days=90)  # before a root expires


def first_root(keys: Mapping[str, Key], expires: datetime) -> Root:
    """Return a root with one key a role, threshold 1 and consistent snapshots, which nobody signed yet."""
    root = Root(expires=expires, consistent_snapshot=True)
    for role, key in keys.items():
        root.add_key(key, role)
    return root


def check_root(data: bytes) -> Root:
    """Return the root in `data`, whose signatures must be its own.

    Raises:
        PublicationError: it is not a root, or not signed by its own keys.
    """
    try:
        metadata = _parse(data)
        metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise PublicationError(f"root.json is not a root that signs itself ({error}): restore it.") from None
    return metadata.signed


def follow(trusted: Root, data: bytes) -> Root:
    """Return the root in `data`, which must be the next one after `trusted` and signed by the keys of both.

    Raises:
        PublicationError: it is not.
    """
    name = f"{trusted.version + 1}.root.json"
    try:
        metadata = _parse(data)
        trusted.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
        metadata.signed.verify_delegate("root", metadata.signed_bytes, metadata.signatures)
        if metadata.signed.version != trusted.version + 1:
            raise ValueError(f"it is root {metadata.signed.version}")
    except (RepositoryError, ValueError) as error:
        raise PublicationError(
            f"{name} does not follow root {trusted.version} ({error}): run `discern release repair`."
        ) from None
    return metadata.signed


def check_unexpired(root: Root) -> None:
    """Refuse a root under which devices take nothing.

    Raises:
        PublicationError: it has expired.
    """
    if root.is_expired():
        raise PublicationError(
            f"root {root.version} expired on {root.expires:%Y-%m-%d}, and devices take nothing that is signed under "
            "it: run `discern release renew-root`."
        )


def next_root(root: Root, expires: datetime) -> Root:
    """Return the root that follows, with the same keys, which nobody signed yet."""
    following = copy.deepcopy(root)
    following.version += 1
    following.expires = expires
    return following


def set_keys(root: Root, role: str, keys: Sequence[Key], threshold: int) -> None:
    """Give a role other keys.

    Raises:
        ValueError: they are fewer than the threshold.
    """
    if len({key.keyid for key in keys}) < threshold:
        raise ValueError(f"{len(keys)} keys for a threshold of {threshold}")
    for keyid in list(root.roles[role].keyids):
        root.revoke_key(keyid, role)
    for key in keys:
        root.add_key(key, role)
    root.roles[role].threshold = threshold


def expiry_warning(expires: datetime, now: datetime | None = None) -> str | None:
    """Return a sentence where a root expires within 90 days."""
    left = expires - (now or datetime.now(timezone.utc))
    if left > SOON:
        return None
    return f"The root expires on {expires:%Y-%m-%d}: run `discern release renew-root`."


def _parse(data: bytes) -> Metadata[Any]:
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    if metadata.signed.type != Root.type:
        raise ValueError(f"it is a {metadata.signed.type}")
    return metadata
