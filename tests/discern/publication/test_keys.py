from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest

from discern.errors import PublicationError
from discern.publication.keys import ROLES, make_keys, public_key, signer_for, signing_variables


def test_each_role_has_a_key_of_its_own_that_only_the_owner_reads(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    assert len({public_key(tmp_path / "keys", role).keyid for role in ROLES}) == 4
    for role in ROLES:
        assert (tmp_path / "keys" / f"{role}.pem").stat().st_mode & 0o777 == 0o600
        signature = signer_for(tmp_path / "keys", role).sign(b"data")
        public_key(tmp_path / "keys", role).verify_signature(signature, b"data")


def test_existing_keys_are_kept(tmp_path: Path) -> None:
    make_keys(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make_keys(tmp_path)
    (tmp_path / "signers.json").unlink()
    make_keys(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_folder_may_move(tmp_path: Path) -> None:
    make_keys(tmp_path / "a")
    key = public_key(tmp_path / "a", "root")
    (tmp_path / "a").rename(tmp_path / "b")
    assert public_key(tmp_path / "b", "root") == key


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match=r"signers\.json is missing: run `discern release init`"):
        signer_for(tmp_path, "root")
    make_keys(tmp_path)
    (tmp_path / "targets.pem").write_text("no key")
    with pytest.raises(PublicationError, match=r"targets\.pem is not a private key in PEM"):
        signer_for(tmp_path, "targets")
    (tmp_path / "targets.pem").unlink()
    with pytest.raises(PublicationError, match=r"targets\.pem cannot be read"):
        signer_for(tmp_path, "targets")
    (tmp_path / "root.pem").chmod(0o644)
    with pytest.raises(PublicationError, match=r"root\.pem can be read by others: run `chmod 600"):
        signer_for(tmp_path, "root")
    (tmp_path / "signers.json").write_text(json.dumps({"root": "http://evil"}))
    with pytest.raises(PublicationError, match="none of file2:, env: and awskms:"):
        signer_for(tmp_path, "root")
    with pytest.raises(PublicationError, match="does not name a signer for targets"):
        signer_for(tmp_path, "targets")


def test_a_key_may_be_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_keys(tmp_path)
    expected = public_key(tmp_path, "targets")
    signers = json.loads((tmp_path / "signers.json").read_text())
    (tmp_path / "signers.json").write_text(json.dumps(signers | {"targets": "env:TARGETS_KEY"}))
    assert signing_variables(tmp_path) == ("TARGETS_KEY",)
    monkeypatch.delenv("TARGETS_KEY", raising=False)
    with pytest.raises(PublicationError, match="the key of targets is in the variable TARGETS_KEY, which is not set"):
        signer_for(tmp_path, "targets")
    monkeypatch.setenv("TARGETS_KEY", (tmp_path / "targets.pem").read_text())
    (tmp_path / "targets.pem").unlink()
    assert public_key(tmp_path, "targets") == expected
    monkeypatch.setenv("TARGETS_KEY", "-----BEGIN PRIVATE KEY-----\nsecret-value\n")
    with pytest.raises(PublicationError, match="variable TARGETS_KEY is not a private key in PEM") as caught:
        signer_for(tmp_path, "targets")
    assert "secret-value" not in str(caught.value)


def test_keys_may_lie_in_a_bucket(s3_environment: str) -> None:
    boto3.client("s3").create_bucket(Bucket="keys")
    url = "s3://keys/signing"
    with pytest.raises(PublicationError, match=r"^s3://keys/signing/signers\.json is missing: run"):
        signer_for(url, "root")
    make_keys(url)
    key = public_key(url, "root")
    make_keys(url)
    assert public_key(url, "root") == key
    key.verify_signature(signer_for(url, "root").sign(b"data"), b"data")
    boto3.client("s3").delete_object(Bucket="keys", Key="signing/root.pem")
    with pytest.raises(PublicationError, match=r"^s3://keys/signing/root\.pem cannot be read"):
        signer_for(url, "root")


def test_an_address_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(PublicationError, match=r"^nowhere://keys.* cannot be opened .*: name a folder or an s3://"):
        signer_for("nowhere://keys", "root")
