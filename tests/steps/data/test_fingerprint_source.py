"""The data pipeline looks at its source in a step, where it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.errors import ConfigError, DataError
from steps.data.fingerprint_source import fingerprint_source
from tests.discern.pictures import fill


def test_fingerprint_source_changes_with_the_photos(tmp_path: Path) -> None:
    fill(tmp_path, classes=2, each=2)
    source = {"kind": "folder", "path": str(tmp_path)}
    before = fingerprint_source.entrypoint(source)
    assert fingerprint_source.entrypoint(source) == before
    (tmp_path / "c00" / "more.jpg").write_bytes((tmp_path / "c00" / "0.jpg").read_bytes())
    assert fingerprint_source.entrypoint(source) != before


def test_fingerprint_source_names_a_source_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing"):
        fingerprint_source.entrypoint({"kind": "folder", "path": str(tmp_path / "nothing")})


def test_fingerprint_source_takes_a_services_key_from_the_secret_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_API_KEY", "")
    with pytest.raises(ConfigError, match="there is no ZenML secret 'labelbox'"):
        fingerprint_source.entrypoint({"kind": "labelbox", "project": "p1"})


def test_fingerprint_source_never_comes_from_the_cache() -> None:
    assert fingerprint_source.configuration.enable_cache is False
