"""Which repository is meant where no option names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.repository_options import open_repository
from discern.errors import ConfigError


def test_it_is_that_of_the_active_stack(local_stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    opened = open_repository(None, None)
    assert opened.url == f"{local_stack}/releases"
    # Private keys are not made in a bucket by surprise: the stack's count where there are some.
    assert opened.keys == str((local_stack if (local_stack / "keys/signers.json").exists() else tmp_path) / "keys")
    assert open_repository(str(tmp_path / "r"), None).url == str(tmp_path / "r")


def test_without_a_stack_it_lies_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(tmp_path / "no database"))
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    opened = open_repository(None, None)
    assert (opened.url, opened.keys) == (f"{tmp_path}/releases", f"{tmp_path}/keys")
    monkeypatch.delenv("DISCERN_HOME")
    with pytest.raises(ConfigError, match="DISCERN_HOME is not set"):
        open_repository(None, None)
