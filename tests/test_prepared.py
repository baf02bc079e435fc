"""What is prepared for the tests is made once for the same code, and whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import prepared as module
from tests.prepared import KEPT_VERSIONS, prepared


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one module of a repository of its own, with a cache of its own."""
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    path = tmp_path / "maker.py"
    path.write_text("SIZE = 1\n")
    return path


def make(files: Path) -> tuple[Path, int]:
    (files / "toy.txt").write_text("made")
    return files / "toy.txt", len(list(files.parent.parent.iterdir()))


def fail(files: Path) -> None:
    (files / "half.txt").write_text("half")
    raise OSError


def test_it_is_made_once(code: Path) -> None:
    path, _ = prepared("toy", "maker", make)
    assert path.read_text() == "made"
    path.write_text("seen by the next")
    assert prepared("toy", "maker", fail) == (path, 1)
    assert path.read_text() == "seen by the next"


def test_changed_code_makes_it_anew_and_a_comment_does_not(code: Path) -> None:
    path, _ = prepared("toy", "maker", make)
    code.write_text("SIZE = 1  # pixel\n")
    assert prepared("toy", "maker", make)[0] == path
    code.write_text("SIZE = 2\n")
    assert prepared("toy", "maker", make)[0] != path


def test_what_was_half_made_is_made_again(code: Path) -> None:
    with pytest.raises(OSError, match=r"^$"):
        prepared("toy", "maker", fail)
    path, _ = prepared("toy", "maker", make)
    assert [file.name for file in path.parent.iterdir()] == ["toy.txt"]


def test_few_versions_are_kept(code: Path) -> None:
    for size in range(KEPT_VERSIONS + 2):
        code.write_text(f"SIZE = {size}\n")
        path, _ = prepared("toy", "maker", make)
    assert path.is_file()
    assert len(list((code.parent / "cache" / "toy").iterdir())) == KEPT_VERSIONS
