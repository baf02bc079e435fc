"""Other keys for a role, and a root that is signed anew.

A role gets other keys in three steps, each of which leaves a repository that every device follows: a root that names
the old and the new keys; the whole state signed by the new ones; a root that names the new ones alone. What is under
way is written down in `signers.json` first, so that running it again goes on where it was cut off. The root's own keys
change in one step: the next root is signed by the old and the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from securesystemslib.signer import Signer
from tuf.api.metadata import Root

from discern.errors import PublicationError
from discern.publication import keys as key_files
from discern.publication.catalogue import Catalogue, Change
from discern.publication.decisions import Person
from discern.publication.history import Record
from discern.publication.keys import Signers
from discern.publication.metadata import expires_after
from discern.publication.roots import check_root, follow, next_root, set_keys
from discern.publication.signing import root_signers, sign_with
from discern.publication.store import SignedStore, root_file
from discern.storage.remote import write_file


def rotate(
    store: SignedStore, role: str, person: Person, *, signers: Sequence[str] = (), threshold: int | None = None
) -> Root:
    """Give a role other keys, or go on where this was cut off.

    Args:
        store: the repository.
        role: root, targets, snapshot or timestamp.
        person: who decides, for the history.
        signers: URIs of the new keys; without them files are made beside the old ones.
        threshold: of root alone, how many keys have to sign; where it differs from now keys are added or left out, and
            else all are replaced.

    Returns:
        the newest root.

    Raises:
        PublicationError: a key is missing, another rotation is under way, or the repository cannot be written.
    """
    with store.errors():
        root = store.root()
        uris = _planned(store, role, root, signers, threshold)
        new = [key_files.signer_of(store.keys, role, uri) for uri in uris]
        root = _change_root(store, root, new) if role == "root" else _change_role(store, root, role, new, person)
        keep_roots(store)
        current = key_files.read_signers(store.keys).current
        key_files.write_signers(store.keys, Signers({**current, role: tuple(uris)}))
        return root


def renew_root(store: SignedStore) -> datetime:
    """Sign a root with the same keys for another five years; returns when it expires.

    Raises:
        PublicationError: a key of root is missing, or the repository cannot be written.
    """
    with store.errors():
        root = store.root()
        following = _next_root(store, root)
        _add(store, root, following, root_signers(store.keys, "root", root))
        keep_roots(store)
        return following.expires


def keep_roots(store: SignedStore) -> None:
    """Bring the publisher's copies of the roots up to the newest one of the repository.

    Raises:
        OSError: the keys' folder is not writable.
    """
    newest = store.root()
    own = check_root(store.own_root())
    for version in range(1, newest.version + 1):
        name = f"{version}.{key_files.ROOT_FILE}"
        data = store.files.read(root_file(version))
        if data is not None and not key_files.exists(store.keys, name):
            write_file(key_files.address(store.keys, name), data)
        if data is not None and version == newest.version > own.version:
            write_file(store.root_address, data)


def _planned(
    store: SignedStore, role: str, root: Root, signers: Sequence[str], threshold: int | None
) -> tuple[str, ...]:
    """Return the URIs of the keys that follow, after they were written down."""
    written = key_files.read_signers(store.keys)
    for other, uris in written.following.items():
        if other != role or (signers and tuple(signers) != uris):
            raise PublicationError(
                f"the keys of {other} are being changed to {', '.join(uris)}: run `discern release rotate {other}` "
                "first."
            )
        return uris
    planned = _new_uris(store, role, root, signers, threshold)
    key_files.write_signers(store.keys, Signers(written.current, {role: planned}))
    return planned


def _new_uris(
    store: SignedStore, role: str, root: Root, signers: Sequence[str], threshold: int | None
) -> tuple[str, ...]:
    current = key_files.read_signers(store.keys).current.get(role, ())
    now = root.roles[role].threshold
    threshold = threshold or now
    if threshold != now and role != "root":
        raise PublicationError(f"{role} is signed by one key: a threshold is for root alone.")
    kept = current[:threshold] if threshold != now else ()
    missing = threshold - len(kept)
    _check_number(role, signers, current, missing)
    names = [f"{role}-{root.version + 1}" + (f"-{number}" if number else "") for number in range(missing)]
    new = signers or [key_files.make_key(store.keys, name) for name in names]
    for uri in signers:
        key = key_files.key_of(key_files.signer_of(store.keys, role, uri))
        if key.keyid in root.roles[role].keyids:
            raise PublicationError(f"{uri} is a key of {role} already: name another one.")
    return (*new, *kept)


def _check_number(role: str, signers: Sequence[str], current: Sequence[str], missing: int) -> None:
    """Refuse another number of named keys than is missing; where none is named, only files can be made.

    Raises:
        PublicationError: the keys cannot be these.
    """
    if signers and len(signers) != missing:
        raise PublicationError(f"{missing} new keys are needed and {len(signers)} named: name each with --signer.")
    if missing and not signers and any(not uri.startswith(f"{key_files.FILE_SCHEME}:") for uri in current):
        raise PublicationError(f"{role} is signed by {', '.join(current)}: name the new key with --signer.")


def _change_root(store: SignedStore, root: Root, new: Sequence[Signer]) -> Root:
    keys = [key_files.key_of(signer) for signer in new]
    wanted = {key.keyid for key in keys}
    if wanted == set(root.roles["root"].keyids) and root.roles["root"].threshold == len(keys):
        return root
    old = root_signers(store.keys, "root", root)
    following = _next_root(store, root)
    set_keys(following, "root", keys, len(keys))
    return _add(store, root, following, [*old, *new])


def _change_role(store: SignedStore, root: Root, role: str, new: Sequence[Signer], person: Person) -> Root:
    keys = [key_files.key_of(signer) for signer in new]
    wanted = {key.keyid for key in keys}
    old = root.roles[role].keyids
    if not wanted.issubset(old):
        both = _next_root(store, root)
        set_keys(both, role, [*(root.keys[keyid] for keyid in old), *keys], root.roles[role].threshold)
        root = _add(store, root, both, root_signers(store.keys, "root", root))
    if wanted == set(root.roles[role].keyids):
        return root
    final = _next_root(store, root)
    set_keys(final, role, keys, root.roles[role].threshold)
    record = Record(action="rotate", why=f"{role}: {person.why}", by=person.by)
    _sign_under(store, root, final, record)
    _add(store, root, final, root_signers(store.keys, "root", root))
    # A publisher that read the root before it was changed may have signed by the old key in the meantime.
    _sign_under(store, root, final, record)
    return final


def _sign_under(store: SignedStore, root: Root, final: Root, record: Record) -> None:
    """Sign the live state anew unless `final` vouches for it already."""
    try:
        store.state_under(final)
    except PublicationError:
        change = Change(Catalogue(store, store.state_under(root)), final)
        change.records.append(record)
        change.commit()


def _next_root(store: SignedStore, root: Root) -> Root:
    return next_root(root, expires_after(store.expiries.root))


def _add(store: SignedStore, trusted: Root, root: Root, signers: Sequence[Signer]) -> Root:
    """Sign a root, check it as devices do, and give it to the repository."""
    data = sign_with(signers, root)
    follow(trusted, data)
    if not store.files.replace_if(root_file(root.version), None, data):
        raise store.lost()
    return root
