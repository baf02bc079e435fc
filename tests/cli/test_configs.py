"""Which config file a command means."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from cli.configs import config_file
from discern.errors import ConfigError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("configs/pills/data.yaml", "configs/parts/data.yaml", "configs/parts/training.yaml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.chdir(tmp_path)


def test_a_use_case_means_its_folder() -> None:
    assert config_file("parts", None, "training") == Path("configs/parts/training.yaml")


def test_a_file_is_taken_as_it_is() -> None:
    assert config_file(None, Path("elsewhere.yaml"), "data") == Path("elsewhere.yaml")


@pytest.mark.parametrize(
    ("use_case", "pipeline", "says"),
    [
        ("pils", "data", "configs/pils/data.yaml does not exist: did you mean 'pills'?"),
        ("xyz", "data", "known are parts, pills."),
        ("pills", "promotion", "run this in the folder that holds `configs`"),
    ],
)
def test_a_use_case_that_is_not_there_is_one_sentence(use_case: str, pipeline: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_file(use_case, None, pipeline)
    assert says in str(caught.value)


def test_neither_and_both_are_a_wrong_call() -> None:
    with pytest.raises(click.UsageError):
        config_file(None, None, "data")
    with pytest.raises(click.UsageError):
        config_file("pills", Path("x.yaml"), "data")
