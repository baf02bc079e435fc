from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.device.home import Current, Home
from edge_runtime.errors import ReleaseError


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    assert Home(tmp_path).read_current() is None
    with pytest.raises(ReleaseError, match="holds no release yet: run `discern-edge pull"):
        Home(tmp_path).open_current()


def test_current_comes_back(tmp_path: Path) -> None:
    for current in (Current("0" * 16), Current("1" * 16, "0" * 16)):
        Home(tmp_path).write_current(current)
        assert Home(tmp_path).read_current() == current


@pytest.mark.parametrize("name", ["../../etc", "0" * 15, "G" * 16, "", "0" * 17])
def test_names_that_are_no_release_are_damage(tmp_path: Path, name: str) -> None:
    Home(tmp_path).write_current(Current(name))
    with pytest.raises(ReleaseError, match="current is damaged"):
        Home(tmp_path).read_current()


def test_a_release_that_is_gone_is_named(tmp_path: Path) -> None:
    Home(tmp_path).write_current(Current("0" * 16))
    with pytest.raises(ReleaseError, match=r"0{16}/release\.json is missing: pull the release again"):
        Home(tmp_path).open_current()


def test_refusals_are_remembered_and_forgotten(tmp_path: Path) -> None:
    device = Home(tmp_path)
    device.remember_bad("0" * 16, "wrong answers")
    device.remember_bad("1" * 16, "crashed")
    assert device.bad() == {"0" * 16: "wrong answers", "1" * 16: "crashed"}
    device.forget_bad("0" * 16)
    assert device.bad() == {"1" * 16: "crashed"}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b"\xff"])
def test_a_damaged_record_of_refusals_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    assert Home(tmp_path).bad() == {}
