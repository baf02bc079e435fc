"""The command that looks at photos and writes configs; three pipelines that run on them: tests/e2e/test_init.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from discern.use_cases import speed
from edge_runtime.core.images import encode_png
from tests.cli.calls import Caller
from tests.discern import toy
from tests.discern.pictures import fill


def discs(folder: Path, classes: int) -> Path:
    for label in toy.TRAINED[:classes]:
        (folder / label).mkdir(parents=True)
        for number in range(5):
            (folder / label / f"{number}.png").write_bytes(encode_png(toy.disc(label, number)))
    return folder


@pytest.fixture(autouse=True)
def _work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in a folder of their own, and a speed is measured in one step."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(speed, "STEPS", 1)


def test_photos_become_configs(tmp_path: Path, call: Caller) -> None:
    photos = discs(tmp_path / "photos", 10)
    ended = call("init", "parts", "--photos", photos)
    assert ended.status == 0
    assert "50 usable photos of 10 classes (5 to 5 photos a class, median 5)" in ended.out
    for command in ("discern data run parts", "discern train parts", "discern promote parts"):
        assert command in ended.out
    config = yaml.safe_load(Path("configs/parts/data.yaml").read_text())
    assert config["parameters"]["source"] == {"kind": "folder", "path": str(photos)}
    assert not {"use_case", "training"} & config["parameters"].keys(), "the folder says them"

    assert "configs/parts is there already" in call.refused("init", "parts", "--photos", photos)
    again = call("init", "parts", "--photos", photos, "--force", "--json")
    assert again.result["can_be_released"]
    assert again.result["configs"] == "configs/parts"
    assert set(again.result["minutes"]) == {"data", "training", "promotion"}
    assert again.out.count("\n") == 1


@pytest.mark.parametrize("classes", [1, 2, 6, 7])
def test_any_number_of_classes_ends_with_commands_that_work(tmp_path: Path, call: Caller, classes: int) -> None:
    ended = call("init", "few", "--photos", discs(tmp_path / "photos", classes))
    assert ended.status == 0, ended.err
    assert "as 8 classes are needed to hold some out whole" in ended.out
    for command in ("discern data run few", "discern train few", "discern promote few"):
        assert command in ended.out
    config = yaml.safe_load(Path("configs/few/data.yaml").read_text())["parameters"]
    assert config["splits"]["by"] == "photos"
    assert "unknowns" not in config.get("checks", {}).get("waive", {})
    assert yaml.safe_load(Path("configs/few/training.yaml").read_text())["parameters"]["teacher"] == "none"


def test_every_problem_is_told_and_nothing_is_written(tmp_path: Path, call: Caller) -> None:
    folder = fill(tmp_path / "photos", classes=2)
    (folder / "single").mkdir()
    (folder / "single" / "1.jpg").write_bytes((folder / "c00" / "1.jpg").read_bytes())
    (folder / "loose.jpg").write_bytes(b"x")
    ended = call("init", "My Parts", "--photos", folder)
    assert ended.status == 1
    assert ended.out == ""
    assert [line.split(" in ")[0] for line in ended.err.splitlines()] == [
        "'My Parts' is no name for a use case: take up to 40 small letters, digits, - and _, and begin with a letter "
        "or a digit.",
        "loose.jpg",
        "class single",
    ]
    assert not Path("configs").exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: None, "does not exist"),
        (lambda folder: folder.mkdir(), "holds no photos"),
        (lambda folder: folder.write_bytes(b"x"), "is neither a folder nor a zip archive"),
        (lambda folder: fill(folder / "fruit", classes=2), "holds one class (fruit), with the folders c00, c01"),
    ],
)
def test_photos_that_cannot_be_used_are_one_sentence(tmp_path: Path, call: Caller, make: object, says: str) -> None:
    make(tmp_path / "photos")  # type: ignore[operator]
    assert says in call.refused("init", "parts", "--photos", tmp_path / "photos")
    assert not Path("configs").exists()


def test_photos_that_turn_out_broken_leave_nothing(tmp_path: Path, call: Caller) -> None:
    folder = fill(tmp_path / "photos", classes=9)
    for path in (folder / "c03").iterdir():
        path.write_bytes(b"no picture")
    assert "class c03" in call.refused("init", "parts", "--photos", folder)
    assert not Path("configs").exists()
