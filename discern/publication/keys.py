"""The keys of a repository: a folder with `signers.json`, PEM files beside it where keys are files, and `root.json`.

The folder is a path or an address that fsspec knows, such as s3://bucket/keys, so that a step on another machine can
sign. `signers.json` says {role: signer URI, or a list of them where a role has several keys}:

    file2:NAME.pem   a private key in the same folder
    env:VARIABLE     a private key in PEM, in a variable of the environment
    awskms:KEY       a key that never leaves AWS

and, while a rotation is under way, {"next": {role: the URIs that follow}}. `root.json` is public, the newest root: what
devices are given once. `N.root.json` are copies of all roots, by which a repository that lost one is repaired. Only
`file2:` keys must be kept from others' eyes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fsspec.implementations.local import LocalFileSystem
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from discern.errors import PublicationError, first_line
from discern.storage.remote import open_place, write_file
from edge_runtime.files import fsync_folder, write_atomically

ROLES = ("root", "targets", "snapshot", "timestamp")
SIGNERS_FILE = "signers.json"
ROOT_FILE = "root.json"
FILE_SCHEME = "file2"
ENVIRONMENT_SCHEME = "env"
KMS_SCHEME = "awskms"
NEXT = "next"


@dataclass(frozen=True)
class Signers:
    """What `signers.json` says.

    Attributes:
        current: role -> the URIs of its keys.
        following: the same for the roles whose rotation is under way: the keys that they will have.
    """

    current: Mapping[str, tuple[str, ...]]
    following: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, role: str) -> tuple[str, ...]:
        """Return all URIs of a role, those that follow first."""
        return tuple(dict.fromkeys((*self.following.get(role, ()), *self.current.get(role, ()))))


def make_keys(folder: str | Path) -> None:
    """Make an ed25519 key for each role and `signers.json`; what exists already is kept.

    In a local folder the keys have mode 0600. In a bucket whoever may read the folder may sign.

    Raises:
        OSError: the folder is not writable.
    """
    if exists(folder, SIGNERS_FILE):
        return
    local = _local(folder)
    if local is not None:
        local.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_signers(folder, Signers({role: (make_key(folder, role),) for role in ROLES}))
    if local is not None:
        fsync_folder(local)


def make_key(folder: str | Path, name: str) -> str:
    """Make an ed25519 key in `NAME.pem`, unless it is there already, and return its URI.

    Raises:
        OSError: the folder is not writable.
    """
    if not exists(folder, f"{name}.pem"):
        _write_private(folder, f"{name}.pem", CryptoSigner.generate_ed25519().private_bytes)
    return f"{FILE_SCHEME}:{name}.pem"


def signer_for(folder: str | Path, role: str) -> Signer:
    """Return what signs for `role`, the first where it has several keys.

    Raises:
        PublicationError: `signers.json` or the key is missing or damaged.
    """
    uris = read_signers(folder).current.get(role)
    if not uris:
        raise PublicationError(f"{address(folder, SIGNERS_FILE)} does not name a signer for {role}: restore it.")
    return signer_of(folder, role, uris[0])


def signer_of(folder: str | Path, role: str, uri: str) -> Signer:
    """Return what signs by the key at `uri`; `role` names it in errors.

    Raises:
        PublicationError: the key is missing or damaged, or of a kind that devices cannot check.
    """
    scheme, _, name = uri.partition(":")
    if scheme == FILE_SCHEME:
        _check_private(folder, name)
        signer = _signer_of(_read_key(folder, name), address(folder, name))
    elif scheme == ENVIRONMENT_SCHEME:
        signer = _signer_of(_variable(folder, role, name).encode(), f"the variable {name}")
    elif scheme == KMS_SCHEME:
        signer = _kms_signer(name)
    else:
        raise PublicationError(
            f"{address(folder, SIGNERS_FILE)}: {role} is {uri!r}, which is none of file2:, env: and awskms:."
        )
    if not isinstance(signer.public_key, SSlibKey):
        raise PublicationError(
            f"{address(folder, SIGNERS_FILE)}: the key of {role} is of a kind that devices cannot check."
        )
    return signer


def public_key(folder: str | Path, role: str) -> SSlibKey:
    """Return the public key of `role`.

    Raises:
        PublicationError: `signers.json` or the key is missing or damaged.
    """
    return key_of(signer_for(folder, role))


def key_of(signer: Signer) -> SSlibKey:
    """Return the public key of what `signer_of` or `signer_for` gave."""
    key = signer.public_key
    assert isinstance(key, SSlibKey)  # noqa: S101  they refuse others
    return key


def signing_variables(folder: str | Path) -> tuple[str, ...]:
    """Return the variables of the environment that the signers are in, for whoever keeps them in a secret store.

    Raises:
        PublicationError: `signers.json` is missing or damaged.
    """
    signers = read_signers(folder)
    uris = [uri for role in ROLES for uri in signers.of(role)]
    return tuple(sorted({variable for uri in uris if (variable := _variable_in(uri))}))


def variable_of(folder: str | Path, role: str) -> str | None:
    """Return the variable of the environment that the key of `role` is in, None where it is elsewhere or nowhere.

    Raises:
        PublicationError: `signers.json` is missing or damaged.
    """
    uris = read_signers(folder).current.get(role, ())
    return next((variable for uri in uris if (variable := _variable_in(uri))), None)


def read_signers(folder: str | Path) -> Signers:
    """Read `signers.json`.

    Raises:
        PublicationError: it is missing or damaged.
    """
    url = address(folder, SIGNERS_FILE)
    try:
        content = json.loads(read(folder, SIGNERS_FILE))
        following = content.get(NEXT, {})
        return Signers(_uris({role: content[role] for role in content if role != NEXT}), _uris(following))
    except FileNotFoundError:
        raise PublicationError(f"{url} is missing: run `discern release init`, or name the keys.") from None
    except (ValueError, AttributeError, TypeError):
        raise PublicationError(f"{url} does not name a signer for each role: restore it.") from None
    except (OSError, BotoCoreError) as error:
        raise PublicationError(f"{url} cannot be read ({reason(error)}): check the address and the rights.") from None


def write_signers(folder: str | Path, signers: Signers) -> None:
    """Write `signers.json`; readers see the old one or the new one.

    Raises:
        OSError: the folder is not writable.
    """
    content: dict[str, Any] = {role: _shown(uris) for role, uris in signers.current.items()}
    if signers.following:
        content[NEXT] = {role: _shown(uris) for role, uris in signers.following.items()}
    write_file(address(folder, SIGNERS_FILE), (json.dumps(content, indent=1) + "\n").encode())


def address(folder: str | Path, name: str) -> str:
    """Return the path or URL of a file in a folder of keys."""
    return f"{str(folder).rstrip('/')}/{name}"


def exists(folder: str | Path, name: str) -> bool:
    """Return True where the folder of keys holds a file of this name.

    Raises:
        OSError: the folder cannot be looked into.
        PublicationError: its address is of a kind that is not known.
    """
    filesystem, path = _open(address(folder, name))
    return bool(filesystem.exists(path))


def read(folder: str | Path, name: str) -> bytes:
    """Read a file of a folder of keys.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read.
        PublicationError: its address is of a kind that is not known.
    """
    filesystem, path = _open(address(folder, name))
    return bytes(filesystem.cat_file(path))


def reason(error: Exception) -> str:
    """Return in a few words why a file of keys could not be read."""
    return getattr(error, "strerror", None) or first_line(error)


def _open(url: str) -> tuple[Any, str]:
    try:
        return open_place(url)
    except (ValueError, ImportError) as error:
        raise PublicationError(f"{url} cannot be opened ({error}): name a folder or an s3:// address.") from None


def _uris(content: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {str(role): (uris,) if isinstance(uris, str) else tuple(map(str, uris)) for role, uris in content.items()}


def _shown(uris: Sequence[str]) -> str | list[str]:
    return uris[0] if len(uris) == 1 else list(uris)


def _variable_in(uri: str) -> str | None:
    scheme, _, name = uri.partition(":")
    return name if scheme == ENVIRONMENT_SCHEME else None


def _read_key(folder: str | Path, name: str) -> bytes:
    try:
        return read(folder, name)
    except FileNotFoundError:
        raise PublicationError(f"{address(folder, name)} cannot be read (no such file): restore the key.") from None
    except (OSError, BotoCoreError) as error:
        raise PublicationError(f"{address(folder, name)} cannot be read ({reason(error)}): restore the key.") from None


def _variable(folder: str | Path, role: str, name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise PublicationError(
            f"{address(folder, SIGNERS_FILE)}: the key of {role} is in the variable {name}, which is not set: set it "
            "to the private key in PEM."
        )
    return value


def _signer_of(pem: bytes, where: str) -> Signer:
    """Return the signer of a private key; the message of an error holds nothing of the key."""
    try:
        return CryptoSigner(load_pem_private_key(pem, None))
    except (ValueError, TypeError):
        raise PublicationError(f"{where} is not a private key in PEM without a password: restore the key.") from None


def _check_private(folder: str | Path, name: str) -> None:
    """Refuse a local key that others may read; who may read a bucket is the bucket's own matter."""
    local = _local(folder)
    if local is not None and (local / name).is_file() and (local / name).stat().st_mode & 0o077:
        raise PublicationError(f"{local / name} can be read by others: run `chmod 600 {local / name}`.")


def _write_private(folder: str | Path, name: str, data: bytes) -> None:
    local = _local(folder)
    if local is None:
        write_file(address(folder, name), data)
    else:
        write_atomically(local / name, data, mode=0o600)


def _local(folder: str | Path) -> Path | None:
    """Return the path of a folder on this machine, None for any other address."""
    filesystem, path = _open(str(folder))
    return Path(path) if isinstance(filesystem, LocalFileSystem) else None


def _kms_signer(key: str) -> Signer:
    from securesystemslib.exceptions import UnsupportedAlgorithmError
    from securesystemslib.signer import AWSSigner

    try:
        uri, public = AWSSigner.import_(key)
        return AWSSigner.from_priv_key_uri(uri, public)
    except (BotoCoreError, ClientError, UnsupportedAlgorithmError) as error:
        raise PublicationError(
            f"{KMS_SCHEME}:{key} cannot be used ({first_line(error)}): check the key's name, its use (sign and "
            "verify), the region and the rights kms:GetPublicKey and kms:Sign."
        ) from None
