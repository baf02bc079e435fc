"""A folder appears whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from discern.storage.atomic_folder import is_free, new_folder

WRITER = """
import sys
from pathlib import Path
from discern.storage.atomic_folder import new_folder

with new_folder(Path(sys.argv[1])) as temporary:
    (temporary / "half").write_text("x")
    print("writing", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make(folder: Path) -> None:
    with new_folder(folder) as temporary:
        (temporary / "a").write_text("whole")
        assert not (folder / "a").exists()


def test_it_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    make(tmp_path / "some" / "new")
    assert (tmp_path / "some" / "new" / "a").read_text() == "whole"
    assert names(tmp_path / "some") == ["new"]
    (tmp_path / "made").mkdir()
    assert (tmp_path / "some" / "new").stat().st_mode == (tmp_path / "made").stat().st_mode


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert is_free(tmp_path / "empty")
    make(tmp_path / "empty")
    assert names(tmp_path / "empty") == ["a"]
    assert not is_free(tmp_path / "empty")


def test_a_file_is_no_free_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not is_free(tmp_path / "file")
    assert is_free(tmp_path / "nothing" / "there")


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "new") as temporary:
            (temporary / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(tmp_path) == []


def test_what_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    def race() -> None:
        with new_folder(tmp_path / "new") as temporary:
            (temporary / "a").write_text("ours")
            (tmp_path / "new").mkdir()
            (tmp_path / "new" / "a").write_text("theirs")

    with pytest.raises(OSError, match="not empty"):
        race()
    assert names(tmp_path) == ["new"]
    assert (tmp_path / "new" / "a").read_text() == "theirs"


def test_a_living_writer_keeps_its_folder_and_a_killed_one_does_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "first")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        make(tmp_path / "second")
        assert [name[:16] for name in names(tmp_path)] == [".partial-folder-", "second"]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert len(names(tmp_path)) == 2
    make(tmp_path / "third")
    assert names(tmp_path) == ["second", "third"]


def test_only_what_was_written_here_is_removed(tmp_path: Path) -> None:
    theirs = [".partial-folder-mine", ".partial-other", f".partial-folder-{'0' * 16}"]
    for name in theirs[:2]:
        (tmp_path / name).mkdir()
    (tmp_path / theirs[2]).symlink_to(tmp_path / theirs[0])
    make(tmp_path / "new")
    assert names(tmp_path) == sorted([*theirs, "new"])
