from __future__ import annotations

from pathlib import Path

import pytest

from discern.data.files import atomic, scratch


def test_a_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with atomic(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("former")

    def fail() -> None:
        with atomic(target) as temporary:
            temporary.write_text("half")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert target.read_text() == "former"
    assert list(tmp_path.iterdir()) == [target]


def test_scratch_is_gone_afterwards(tmp_path: Path) -> None:
    with scratch(tmp_path) as temporary:
        temporary.write_text("x")
    assert list(tmp_path.iterdir()) == []
