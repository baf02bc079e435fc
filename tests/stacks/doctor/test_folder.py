"""An artifact store in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.doctor.folder import check_folder

MEND = "discern stack apply local"


def test_a_folder_that_works_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "artifact").write_text("x")
    (finding,) = check_folder(tmp_path, MEND)
    assert finding.level == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    (finding,) = check_folder(tmp_path / "zenml", MEND)
    assert (finding.level, finding.text) == ("fault", f"{tmp_path / 'zenml'} does not exist: run `{MEND}`.")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "zenml").write_text("")
    (finding,) = check_folder(tmp_path / "zenml", MEND)
    assert finding.level == "fault"
    assert "is a file where a folder must be: move it away" in finding.text


@pytest.mark.parametrize("place", ["/proc", "/sys"])
def test_a_folder_that_takes_no_file_is_told(place: str) -> None:
    """Not even root may write there."""
    (finding,) = check_folder(Path(place), MEND)
    assert finding.level == "fault"
    assert f"{place} cannot be used (" in finding.text
    assert "check its owner, its rights and the disk" in finding.text
