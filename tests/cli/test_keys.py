"""Where the keys are, and what each signs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import Caller

ROLES = ["root", "targets", "snapshot", "timestamp"]


@pytest.fixture
def folder(tmp_path: Path, call: Caller, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    monkeypatch.delenv("ZENML_CONFIG_PATH")  # no stack says where the repository is
    assert call("release", "init").status == 0
    return tmp_path / "keys"


def test_keys_are_shown_with_what_they_sign(folder: Path, call: Caller) -> None:
    shown = call("keys").out
    for role in ROLES:
        assert f"file2:{role}.pem" in shown
    assert f"Give each device {folder}/root.json once" in shown
    assert "BEGIN" not in shown  # nothing of a key itself
    told = call("keys", "--json").result
    assert list(told["signers"]) == ROLES
    assert len(set(told["key_ids"].values())) == len(ROLES)


def test_a_missing_key_is_one_sentence(folder: Path, call: Caller) -> None:
    (folder / "timestamp.pem").unlink()
    assert "timestamp.pem cannot be read" in call.refused("keys")


def test_a_key_that_others_can_read_is_one_sentence(folder: Path, call: Caller) -> None:
    (folder / "root.pem").chmod(0o644)
    assert "chmod 600" in call.refused("keys")
