"""The configs are written all, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.errors import ConfigError
from discern.use_cases.config_files import PIPELINES, folder_parameters, name_problems, write_configs

TEXTS = {name: f"# {name}\n" for name in PIPELINES}


def test_configs_are_written_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "configs" / "parts"
    write_configs(folder, TEXTS)
    (folder / "own.yaml").write_text("kept")
    write_configs(folder, {**TEXTS, "data": "new\n"})
    assert sorted(path.name for path in folder.iterdir()) == [
        "data.yaml",
        "own.yaml",
        "promotion.yaml",
        "training.yaml",
    ]
    assert (folder / "data.yaml").read_text() == "new\n"


def test_a_text_that_is_missing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_configs(tmp_path / "parts", {"data": "x"})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_configs(tmp_path / "file" / "parts", TEXTS)


@pytest.mark.parametrize("name", ["", "Parts", "-parts", "two words", "a/b", "x" * 41])
def test_a_name_that_no_channel_could_have_is_refused(name: str, tmp_path: Path) -> None:
    assert "is no name for a use case" in name_problems(name, tmp_path / "new", force=False)[0]


def test_configs_that_are_there_are_kept_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("mine")
    assert "is there already" in name_problems("parts", tmp_path, force=False)[0]
    assert name_problems("parts", tmp_path, force=True) == []
    assert "is a file" in name_problems("parts", tmp_path / "data.yaml", force=True)[0]


def test_a_folder_says_the_use_case_and_where_the_training_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "parts-2"
    folder.mkdir()
    assert folder_parameters(folder / "data.yaml") == {"use_case": "parts-2"}
    (folder / "training.yaml").touch()
    monkeypatch.chdir(folder)
    assert folder_parameters(Path("data.yaml")) == {"use_case": "parts-2", "training": "training.yaml"}


def test_a_folder_whose_name_is_none_for_a_use_case_says_none(tmp_path: Path) -> None:
    assert folder_parameters(tmp_path / "My Parts" / "data.yaml") == {}
