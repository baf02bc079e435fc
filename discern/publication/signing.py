"""Who may sign: the keys of a folder, as far as a root names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from securesystemslib.signer import Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from discern.errors import PublicationError, first_line
from discern.publication import keys as key_files


class Signing:
    """Signs for the roles of one root.

    Args:
        keys: the folder with `signers.json`.
        root: whose keys count.
    """

    def __init__(self, keys: str, root: Root) -> None:
        self._keys = keys
        self._root = root
        self._signers: dict[str, Sequence[Signer]] = {}

    def check(self, roles: Iterable[str]) -> None:
        """Look at the keys of some roles, before anything is written.

        Raises:
            PublicationError: some are missing or damaged, or the root does not name them; it tells all of them.
        """
        problems = [problem for role in roles if (problem := self._problem(role))]
        if problems:
            raise PublicationError(" ".join(problems))

    def can(self, role: str) -> bool:
        """Return True where a key of the role is here that the root names."""
        return self._problem(role) is None

    def sign(self, content: Root | Targets | Snapshot | Timestamp) -> bytes:
        """Sign `content` with the keys of its role and return the metadata file's bytes.

        Raises:
            PublicationError: a key is missing or damaged, not the root's, or refuses to sign.
        """
        return sign_with(self._of(content.type), content)

    def _problem(self, role: str) -> str | None:
        try:
            self._of(role)
        except PublicationError as error:
            return str(error)
        return None

    def _of(self, role: str) -> Sequence[Signer]:
        if role not in self._signers:
            self._signers[role] = root_signers(self._keys, role, self._root)
        return self._signers[role]


def root_signers(keys: str, role: str, root: Root) -> Sequence[Signer]:
    """Return as many signers of a role as the root asks for, the newest first.

    Raises:
        PublicationError: there are not so many keys that can be used and that the root names.
    """
    needed = root.roles[role].threshold
    found: list[Signer] = []
    problems: list[str] = []
    for uri in key_files.read_signers(keys).of(role):
        try:
            signer = key_files.signer_of(keys, role, uri)
        except PublicationError as error:
            problems.append(str(error))
            continue
        if signer.public_key.keyid in root.roles[role].keyids:
            found.append(signer)
        else:
            problems.append(_not_named(keys, role, uri, root))
        if len(found) == needed:
            return found
    raise PublicationError(" ".join(problems) or _too_few(keys, role, len(found), needed))


def sign_with(signers: Iterable[Signer], content: Root | Targets | Snapshot | Timestamp) -> bytes:
    """Sign `content` by each of the signers and return the metadata file's bytes.

    Raises:
        PublicationError: a key refuses to sign.
    """
    metadata: Metadata[Any] = Metadata(content)
    try:
        for signer in signers:
            metadata.sign(signer, append=True)
    except UnsignedMetadataError as error:
        raise PublicationError(f"the key of {content.type}: {first_line(error)}: check the rights to sign.") from None
    return metadata.to_bytes()


def _not_named(keys: str, role: str, uri: str, root: Root) -> str:
    scheme, _, name = uri.partition(":")
    place = key_files.address(keys, name) if scheme == key_files.FILE_SCHEME else uri
    mend = "" if role == "root" else f", or give {role} a new key by `discern release rotate {role}`"
    return (
        f"the key of {role} in {place} is not one that root {root.version} names, and devices refuse what it signs: "
        f"restore the key that belongs to the root{mend}."
    )


def _too_few(keys: str, role: str, count: int, needed: int) -> str:
    names = key_files.address(keys, key_files.SIGNERS_FILE)
    return f"{names} names {count} keys of {role} where the root asks for {needed}: restore it."
