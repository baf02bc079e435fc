"""The keys of a repository: a folder with `signers.json`, PEM files beside it where keys are files, and `root.json`.

The folder is a path or an address that fsspec knows, such as s3://bucket/keys, so that a step on another machine can
sign. `signers.json` says {role: signer URI}:

    file2:NAME.pem   a private key in the same folder
    env:VARIABLE     a private key in PEM, in a variable of the environment
    awskms:KEY       a key that never leaves AWS

`root.json` is public: it is what devices are given once. Only `file2:` keys must be kept from others' eyes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError
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
    for role in ROLES:
        if not exists(folder, f"{role}.pem"):
            _write_private(folder, f"{role}.pem", CryptoSigner.generate_ed25519().private_bytes)
    signers = {role: f"{FILE_SCHEME}:{role}.pem" for role in ROLES}
    write_file(address(folder, SIGNERS_FILE), (json.dumps(signers, indent=1) + "\n").encode())
    if local is not None:
        fsync_folder(local)


def signer_for(folder: str | Path, role: str) -> Signer:
    """Return what signs for `role`.

    Raises:
        PublicationError: `signers.json` or the key is missing or damaged.
    """
    uri = _signers(folder).get(role)
    if uri is None:
        raise PublicationError(f"{address(folder, SIGNERS_FILE)} does not name a signer for {role}: restore it.")
    scheme, _, name = uri.partition(":")
    if scheme == FILE_SCHEME:
        _check_private(folder, name)
        return _signer_of(_read_key(folder, name), address(folder, name))
    if scheme == ENVIRONMENT_SCHEME:
        return _signer_of(_variable(folder, role, name).encode(), f"the variable {name}")
    if scheme == KMS_SCHEME:
        return _kms_signer(name)
    raise PublicationError(
        f"{address(folder, SIGNERS_FILE)}: {role} is {uri!r}, which is none of file2:, env: and awskms:."
    )


def public_key(folder: str | Path, role: str) -> SSlibKey:
    """Return the public key of `role`.

    Raises:
        PublicationError: `signers.json` or the key is missing or damaged.
    """
    key = signer_for(folder, role).public_key
    if not isinstance(key, SSlibKey):
        raise PublicationError(
            f"{address(folder, SIGNERS_FILE)}: the key of {role} is of a kind that devices cannot check."
        )
    return key


def signing_variables(folder: str | Path) -> tuple[str, ...]:
    """Return the variables of the environment that the signers are in, for whoever keeps them in a secret store.

    Raises:
        PublicationError: `signers.json` is missing or damaged.
    """
    return tuple(sorted({name for role in _signers(folder) if (name := variable_of(folder, role))}))


def variable_of(folder: str | Path, role: str) -> str | None:
    """Return the variable of the environment that the key of `role` is in, None where it is elsewhere or nowhere.

    Raises:
        PublicationError: `signers.json` is missing or damaged.
    """
    scheme, _, name = _signers(folder).get(role, "").partition(":")
    return name if scheme == ENVIRONMENT_SCHEME else None


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


def _signers(folder: str | Path) -> dict[str, str]:
    url = address(folder, SIGNERS_FILE)
    try:
        content = json.loads(read(folder, SIGNERS_FILE))
        return {str(role): str(uri) for role, uri in content.items()}
    except FileNotFoundError:
        raise PublicationError(f"{url} is missing: run `discern release init`, or name the keys.") from None
    except (ValueError, AttributeError):
        raise PublicationError(f"{url} does not name a signer for each role: restore it.") from None
    except (OSError, BotoCoreError) as error:
        raise PublicationError(f"{url} cannot be read ({reason(error)}): check the address and the rights.") from None


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
    from securesystemslib.signer import AWSSigner

    uri, public = AWSSigner.import_(key)
    return AWSSigner.from_priv_key_uri(uri, public)
