"""Keys that never leave AWS: moto's key service, made to sign a digest as the real one does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from discern.errors import PublicationError
from discern.publication.decisions import Person
from discern.publication.keys import ROLES
from discern.publication.repository import ReleaseRepository
from discern.publication.rotation import rotate
from edge_runtime.core.release import Release
from tests.discern.publication.conftest import Pull

HASHES: dict[str, Any] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def _sign_digest(private_key: Any, message: bytes, algorithm: str) -> bytes:
    """Sign what was hashed already, as AWS does for MessageType DIGEST; moto hashes it again."""
    hashed = utils.Prehashed(HASHES[algorithm[-3:]]())
    if algorithm.startswith("ECDSA"):
        return bytes(private_key.sign(message, ec.ECDSA(hashed)))
    pss = padding.PSS(padding.MGF1(hashed._algorithm), hashed.digest_size)
    signed = private_key.sign(message, pss if "PSS" in algorithm else padding.PKCS1v15(), hashed)
    return bytes(signed)


@pytest.fixture
def kms(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client of a key service that signs digests."""
    from moto.kms import utils as moto_keys

    for kind in (moto_keys.RSAPrivateKey, moto_keys.ECDSAPrivateKey):
        monkeypatch.setattr(
            kind, "sign", lambda key, message, algorithm: _sign_digest(key.private_key, message, algorithm)
        )
    client = boto3.client("kms")
    yield client
    client.close()


def _key(kms: Any, kind: str) -> str:
    key: str = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec=kind)["KeyMetadata"]["KeyId"]
    return key


@pytest.mark.network
@pytest.mark.parametrize("kind", ["ECC_NIST_P256", "RSA_2048"])
def test_a_repository_is_signed_by_keys_of_aws(
    kms: Any, kind: str, tmp_path: Path, toy_release: Release, quick_pull: Pull
) -> None:
    signers = {role: f"awskms:{_key(kms, kind)}" for role in ROLES}
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/signers.json").write_text(json.dumps(signers))
    repository = ReleaseRepository(str(tmp_path / "repository"), tmp_path / "keys")
    repository.initialise()
    repository.publish(toy_release, "production")
    assert quick_pull(repository) == toy_release.id
    rotate(repository.store, "timestamp", Person("Ada", "a test"), signers=[f"awskms:{_key(kms, kind)}"])
    assert quick_pull(repository) == quick_pull(repository, "new") == toy_release.id
    assert not list((tmp_path / "keys").glob("*.pem"))


@pytest.mark.network
def test_a_signature_that_does_not_verify_never_becomes_a_root(
    kms: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.kms import utils as moto_keys

    def sign_twice_hashed(key: Any, message: bytes, algorithm: str) -> bytes:
        return _sign_digest(key.private_key, hashlib.sha256(message).digest(), algorithm)

    monkeypatch.setattr(moto_keys.ECDSAPrivateKey, "sign", sign_twice_hashed)
    signers = {role: f"awskms:{_key(kms, 'ECC_NIST_P256')}" for role in ROLES}
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/signers.json").write_text(json.dumps(signers))
    repository = ReleaseRepository(str(tmp_path / "repository"), tmp_path / "keys")
    with pytest.raises(PublicationError, match="is not a root that signs itself"):
        repository.initialise()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["signers.json"]


@pytest.mark.network
def test_a_key_that_is_not_there_is_one_sentence(kms: Any, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/signers.json").write_text(json.dumps(dict.fromkeys(ROLES, "awskms:nothing")))
    with pytest.raises(PublicationError, match=r"^awskms:nothing cannot be used .*: check the key's name"):
        ReleaseRepository(str(tmp_path / "repository"), tmp_path / "keys").initialise()
