"""Reading stack files."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.errors import ConfigError
from stacks import spec


def test_the_shipped_stacks_are_read() -> None:
    assert spec.available() == ["local", "local-s3"]
    local = spec.read_spec("local", {"DISCERN_HOME": "/h"})
    assert local.components["artifact_store"][0].configuration == {"path": "/h/zenml"}
    bucket = spec.read_spec("local-s3", {"DISCERN_HOME": "/h", "DISCERN_BUCKET": "b"})
    assert bucket.components["artifact_store"][0].configuration == {"path": "s3://b/zenml"}


def test_every_stack_has_a_tracker() -> None:
    for name in spec.available():
        assert "experiment_tracker" in spec.read_spec(name, {"DISCERN_HOME": "/h", "DISCERN_BUCKET": "b"}).components


def test_an_unknown_stack_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no stack 'cloud': choose one of local, local-s3"):
        spec.read_spec("cloud", {})


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(ConfigError, match="DISCERN_BUCKET in the environment"):
        spec.read_spec("local-s3", {"DISCERN_HOME": "/h"})


@pytest.mark.parametrize("text", ["stack_name: [", "stack_name: x\nzenml_version: '1'\ncomponents: {}\nextra: 1", "[]"])
def test_a_file_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    monkeypatch.setattr(spec, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match=r"stacks/bad\.yaml does not fit"):
        spec.read_spec("bad", {})
