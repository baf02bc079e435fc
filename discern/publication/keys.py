"""The keys of a repository: a folder with `signers.json`, PEM files beside it where keys are files, and `root.json`.

`signers.json` says {role: signer URI}: `file2:NAME.pem` for a file in the same folder, `awskms:KEY` for a key that
never leaves AWS. `root.json` is public: it is what devices are given once.
"""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from discern.errors import PublicationError
from edge_runtime.files import fsync_folder, write_atomically

ROLES = ("root", "targets", "snapshot", "timestamp")
SIGNERS_FILE = "signers.json"
ROOT_FILE = "root.json"
FILE_SCHEME = "file2"
KMS_SCHEME = "awskms"


def make_keys(folder: Path) -> None:
    """Make an ed25519 key for each role, mode 0600, and `signers.json`; what exists already is kept.

    Raises:
        OSError: the folder is not writable.
    """
    if (folder / SIGNERS_FILE).exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for role in ROLES:
        path = folder / f"{role}.pem"
        if not path.exists():
            write_atomically(path, CryptoSigner.generate_ed25519().private_bytes, mode=0o600)
    signers = {role: f"{FILE_SCHEME}:{role}.pem" for role in ROLES}
    write_atomically(folder / SIGNERS_FILE, (json.dumps(signers, indent=1) + "\n").encode())
    fsync_folder(folder)


def signer_for(folder: Path, role: str) -> Signer:
    """Return what signs for `role`.

    Raises:
        PublicationError: `signers.json` or the key is missing or damaged.
    """
    uri = _signer_uri(folder, role)
    scheme, _, rest = uri.partition(":")
    try:
        if scheme == FILE_SCHEME:
            path = folder / rest
            if path.stat().st_mode & 0o077:
                raise PublicationError(f"{path} can be read by others: run `chmod 600 {path}`.")
            return CryptoSigner(load_pem_private_key(path.read_bytes(), None))
        if scheme == KMS_SCHEME:
            return _kms_signer(rest)
    except OSError as error:
        raise PublicationError(f"{error.filename} cannot be read ({error.strerror}): restore the key.") from None
    except (ValueError, TypeError) as error:
        raise PublicationError(f"{folder / rest} is not a private key in PEM ({error}): restore the key.") from None
    raise PublicationError(f"{folder / SIGNERS_FILE}: {role} is {uri!r}, which is neither file2: nor awskms:.")


def public_key(folder: Path, role: str) -> SSlibKey:
    """Return the public key of `role`.

    Raises:
        PublicationError: `signers.json` or the key is missing or damaged.
    """
    key = signer_for(folder, role).public_key
    if not isinstance(key, SSlibKey):
        raise PublicationError(f"{folder / SIGNERS_FILE}: the key of {role} is of a kind that devices cannot check.")
    return key


def _signer_uri(folder: Path, role: str) -> str:
    path = folder / SIGNERS_FILE
    try:
        return str(json.loads(path.read_bytes())[role])
    except FileNotFoundError:
        raise PublicationError(f"{path} is missing: run `python -m cli.releases init`, or name the keys.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise PublicationError(f"{path} does not name a signer for {role}: restore it.") from None


def _kms_signer(key: str) -> Signer:
    from securesystemslib.signer import AWSSigner

    uri, public = AWSSigner.import_(key)
    return AWSSigner.from_priv_key_uri(uri, public)
