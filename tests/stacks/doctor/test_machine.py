"""Checks of this machine."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
import tomllib
from packaging.specifiers import SpecifierSet

from stacks.doctor.machine import PYTHONS, check_git, check_packages, check_python, check_room
from tests.prepared import REPOSITORY


def test_the_pythons_are_those_of_the_package() -> None:
    stated = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["requires-python"]
    assert SpecifierSet(stated) == PYTHONS
    assert check_python().level == "ok"
    assert check_python("3.10.12").text.startswith("3.10.12 is none of ")


def test_packages_are_compared_with_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    assert check_packages(lock).level == "ok"
    here = (
        f"--index-url https://x\n# note\nclick=={version('click')} ; python_version >= '3' \\\n    --hash=sha256:00\n"
    )
    lock.write_text(here + "pytest==0.1 ; sys_platform == 'plan9'\n")
    assert check_packages(lock).text == "1 are as requirements.txt says"
    lock.write_text(here + "pytest==0.1 \\\n    --hash=sha256:00\nno-such-package==1\n" + "".join(
        f"absent-{number}==1\n" for number in range(9)
    ))  # fmt: skip
    finding = check_packages(lock)
    assert finding.level == "warning"
    assert finding.text.startswith(
        f"pytest {version('pytest')} (0.1), no-such-package missing (1), absent-0 missing (1)"
    )
    assert "and 5 more differ from" in finding.text


def test_the_commit_is_told_and_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_git(tmp_path, {"DISCERN_GIT_COMMIT": "abc"}).text == "DISCERN_GIT_COMMIT says abc"
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "has no commit" in check_git(tmp_path, {}).text
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = check_git(tmp_path, {})
    assert missing.level == "warning"
    assert "is not installed" in missing.text


@pytest.mark.parametrize(("free", "level"), [(80e9, "ok"), (2e9, "warning"), (1e8, "fault")])
def test_little_room_is_told(tmp_path: Path, free: float, level: str) -> None:
    finding = check_room(tmp_path / "not" / "made", free)
    assert finding.level == level
    assert ("make room" in finding.text) == (level != "ok")
    assert check_room(tmp_path / "not" / "made").check == "disk"
