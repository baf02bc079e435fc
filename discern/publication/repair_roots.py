"""Bring back the roots of a repository, and the publisher's own copy: they tell what else is true."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from discern.errors import PublicationError
from discern.publication import keys as key_files
from discern.publication.keys import ROOT_FILE
from discern.publication.metadata import expires_after, signed_by
from discern.publication.roots import check_root, follow, next_root
from discern.publication.rotation import keep_roots
from discern.publication.signing import root_signers, sign_with
from discern.publication.store import METADATA, SignedStore, root_file
from discern.storage.remote import Storage, write_file

NUMBERED = re.compile(rf"{METADATA}/[0-9]+\.(targets|snapshot)\.json")


def repair_roots(store: SignedStore, done: list[str]) -> Root:
    """Put back lost and altered roots, and return the newest one.

    Args:
        store: the repository.
        done: gets a sentence for each thing that is put right.

    Raises:
        PublicationError: no root is left that these keys signed, or the newest ones cannot be signed anew.
    """
    own = _own_root(store, done)
    _put_back(store, own, done)
    root = own
    while (data := store.files.read(root_file(root.version + 1))) is not None:
        root = _follow(store, root, data, done)
    keep_roots(store)
    return root


def _follow(store: SignedStore, root: Root, data: bytes, done: list[str]) -> Root:
    try:
        return follow(root, data)
    except PublicationError as error:
        return _sign_instead(store, root, str(error), done)


def _own_root(store: SignedStore, done: list[str]) -> Root:
    try:
        return check_root(store.own_root())
    except PublicationError as error:
        reason = str(error).partition(":")[0].rstrip(".")
    found = _roots_of_ours(store)
    if not found:
        raise PublicationError(
            f"{store.root_address} is missing or damaged, and neither {store.keys} nor {store.url} has a root that its "
            "keys signed: restore it from a backup, or from a device (tuf/anchor.json in its home)."
        )
    version = max(found)
    write_file(store.root_address, found[version])
    done.append(f"{reason}: root {version}, which these keys signed, was put in its place.")
    return check_root(found[version])


def _roots_of_ours(store: SignedStore) -> dict[int, bytes]:
    """Return the roots in the repository and in the keys' folder that our keys signed, by their versions."""
    ours = _own_keys(store)
    folder = Storage(store.keys)
    stored = {Path(name).name: store.files.read(name) for name in store.files.glob(f"{METADATA}/*.{ROOT_FILE}")}
    stored |= {name: folder.read(name) for name in folder.glob(f"*.{ROOT_FILE}")}
    roots = [(name, data) for name, data in stored.items() if data is not None and _is_signed_by(ours, data)]
    versions = {check_root(data).version: (name, data) for name, data in roots}
    return {number: data for number, (name, data) in versions.items() if name == f"{number}.{ROOT_FILE}"}


def _own_keys(store: SignedStore) -> list[Key]:
    uris = key_files.read_signers(store.keys).of("root")
    return [key_files.key_of(key_files.signer_of(store.keys, "root", uri)) for uri in uris]


def _is_signed_by(ours: Sequence[Key], data: bytes) -> bool:
    """Return True for a root that as many of our own keys signed as it asks for."""
    try:
        root = check_root(data)
        metadata: Metadata[Root] = Metadata.from_bytes(data)
    except (PublicationError, RepositoryError):
        return False
    signed = [key for key in ours if key.keyid in root.roles["root"].keyids and _has_signed(key, metadata)]
    return len(signed) >= root.roles["root"].threshold


def _has_signed(key: Key, metadata: Metadata[Root]) -> bool:
    try:
        key.verify_signature(metadata.signatures[key.keyid], metadata.signed_bytes)
    except (KeyError, UnverifiedSignatureError):
        return False
    return True


def _put_back(store: SignedStore, own: Root, done: list[str]) -> None:
    """Write the roots of the keys' folder to the repository, where they are missing or altered there."""
    for version in range(1, own.version + 1):
        copy = f"{version}.{ROOT_FILE}"
        stored = store.files.read(root_file(version))
        if version == own.version:
            data = store.own_root()
        elif key_files.exists(store.keys, copy):
            data = key_files.read(store.keys, copy)
        else:
            if stored is None:
                done.append(f"{root_file(version)} is lost, without a copy: devices with an older root cannot follow.")
            continue
        if stored is not None and stored != data and _is_of_others(store, own, stored):
            raise PublicationError(
                f"{store.url} was made with other keys than those in {store.keys}: name its own keys."
            )
        if stored != data:
            store.files.replace(root_file(version), data)
            done.append(f"{root_file(version)} was {'missing' if stored is None else 'altered'}, and is back.")


def _is_of_others(store: SignedStore, own: Root, stored: bytes) -> bool:
    """Return True where a root is not a damaged one of ours, and nothing in the repository is signed under ours."""
    try:
        check_root(stored)
    except PublicationError:
        return False
    names = [name for name in store.files.files(METADATA) if NUMBERED.fullmatch(name)]
    return not any(_is_signed(own, str(name).split(".")[1], store.files.read(name) or b"") for name in names)


def _is_signed(root: Root, role: str, data: bytes) -> bool:
    try:
        signed_by(root, role, data)
    except (RepositoryError, ValueError):
        return False
    return True


def _sign_instead(store: SignedStore, root: Root, reason: str, done: list[str]) -> Root:
    """Sign a root in place of one that does not follow: devices would go no further."""
    name = root_file(root.version + 1)
    if store.files.read(root_file(root.version + 2)) is not None:
        raise PublicationError(
            f"{name} was altered, and the keys in {store.keys} are older than {store.url}: run `discern release "
            "repair` where the keys were changed last."
        )
    following = next_root(root, expires_after(store.expiries.root))
    data = sign_with(root_signers(store.keys, "root", root), following)
    store.files.replace(name, data)
    done.append(f"{reason.partition(': run')[0].rstrip('.')}: a root was signed in its place.")
    return follow(root, data)
