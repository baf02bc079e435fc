"""Signing keys and the repository that they sign; nothing is signed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from discern.publication.keys import make_keys
from discern.publication.metadata import Expiries
from discern.publication.repository import ReleaseRepository
from stacks.doctor.findings import Finding
from stacks.doctor.signing import check_expiries, check_signing


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys whose repository lies beside them."""
    ReleaseRepository(str(tmp_path / "releases"), tmp_path / "keys").initialise()
    return tmp_path / "keys"


def examined(keys: Path) -> list[Finding]:
    return check_signing(str(keys.parent / "releases"), str(keys))


def levels(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.check, finding.level) for finding in findings]


def test_good_keys_and_a_fresh_signature(keys: Path) -> None:
    before = {path: path.read_bytes() for path in keys.parent.rglob("*") if path.is_file()}
    findings = examined(keys)
    assert levels(findings) == [("signing keys", "ok"), ("repository", "ok")]
    assert "the signature of timestamp" in findings[1].text
    assert {path: path.read_bytes() for path in keys.parent.rglob("*") if path.is_file()} == before


def test_without_keys_or_repository_a_warning_names_the_command(tmp_path: Path) -> None:
    findings = examined(tmp_path / "keys")
    assert levels(findings) == [("signing keys", "warning"), ("repository", "warning")]
    command = f"`discern release init --repository {tmp_path}/releases --keys {tmp_path}/keys`"
    assert all(command in finding.text for finding in findings)
    assert list(tmp_path.iterdir()) == []


def test_every_bad_key_is_told(keys: Path) -> None:
    (keys / "targets.pem").unlink()
    (keys / "snapshot.pem").chmod(0o644)
    (keys / "timestamp.pem").write_text("no key")
    texts = [finding.text for finding in examined(keys)]
    assert len(texts) == 3
    assert ["targets.pem" in texts[0], "chmod 600" in texts[1], "timestamp.pem" in texts[2]] == [True] * 3


def test_keys_of_another_root_are_told(keys: Path, tmp_path: Path) -> None:
    make_keys(tmp_path / "other")
    (tmp_path / "other" / "targets.pem").rename(keys / "targets.pem")
    (finding,) = examined(keys)
    assert finding.level == "fault"
    assert "the key of targets" in finding.text
    assert "is not the one that root.json names" in finding.text


def test_a_repository_of_other_keys_is_told(keys: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    ReleaseRepository(str(other / "releases"), other / "keys").initialise()
    (*_, finding) = check_signing(str(other / "releases"), str(keys))
    assert (finding.check, finding.level) == ("repository", "fault")


@pytest.mark.parametrize("content", [b"", b"{}", None])
def test_a_root_that_is_missing_or_none_is_told(keys: Path, content: bytes | None) -> None:
    (keys / "root.json").unlink()
    if content is not None:
        (keys / "root.json").write_bytes(content)
    (finding,) = examined(keys)
    assert finding.level == "fault"
    assert "restore it" in finding.text


def test_keys_that_a_run_gets_from_a_secret_are_not_missed(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signers = json.loads((keys / "signers.json").read_text())
    (keys / "signers.json").write_text(json.dumps({**signers, "targets": "env:DOCTOR_TARGETS_KEY"}))
    findings = examined(keys)
    assert levels(findings) == [("signing keys", "warning"), ("repository", "ok")]
    assert findings[0].text.startswith("DOCTOR_TARGETS_KEY not set here")
    monkeypatch.setenv("DOCTOR_TARGETS_KEY", (keys / "targets.pem").read_text())
    assert levels(examined(keys))[0] == ("signing keys", "ok")


def test_a_signature_about_to_expire_is_told(tmp_path: Path) -> None:
    expiries = Expiries(timestamp=timedelta(days=3))
    ReleaseRepository(str(tmp_path / "releases"), tmp_path / "keys", expiries).initialise()
    (_, finding) = examined(tmp_path / "keys")
    assert finding.level == "warning"
    assert "`discern release refresh --repository" in finding.text


def test_expired_signatures_are_faults() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    ends = {"root": now + timedelta(days=900), "timestamp": now - timedelta(days=1)}
    finding = check_expiries("r", "k", ends, now)
    assert (finding.level, finding.text) == (
        "fault",
        "the signature of timestamp at r has expired on 2026-11-27, and devices take no update from then on: run "
        "`discern release refresh --repository r --keys k`.",
    )
    assert "new root.json" in check_expiries("r", "k", {"root": now + timedelta(days=2)}, now).text
