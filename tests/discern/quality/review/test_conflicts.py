from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from discern.datasets.ingest.rejected import Rejected
from discern.datasets.manifest import DatasetVersion
from discern.quality.review.conflicts import decide_command, group_conflicts, show_conflicts
from discern.quality.review.photo_book import PhotoBook
from tests.discern.quality.review.reviews import REJECTED, conflict


def test_photos_of_one_reason_are_one_conflict(version: DatasetVersion) -> None:
    first, second = conflict(version), conflict(version, "c00/y.jpg", "c01/z.jpg")
    interleaved = [first[0], REJECTED[0], second[0], first[1], second[1]]
    assert group_conflicts(interleaved) == [first, second]


@pytest.mark.parametrize(("name", "label"), [("a b/it's.jpg", "M5 $HOME"), ("a.jpg@1,2,3,4", "m5"), ("-a.jpg", "-x")])
def test_a_command_survives_a_shell(name: str, label: str) -> None:
    words = shlex.split(decide_command("parts", name, label))
    assert words[:3] == ["discern", "data", "decide"]
    assert [word for word in words[3:] if word != "--"] == ["parts", name, label]
    assert ("--" in words) == name.startswith("-")  # else it would be taken for an option


def test_an_empty_image_has_no_command_and_a_photo_that_is_gone_no_picture(version: DatasetVersion) -> None:
    empty = Rejected("a.jpg", "a.jpg is said to be empty.", "conflict")
    book = PhotoBook(version)
    ((shown,),) = show_conflicts([[empty]], "parts", book)
    assert (shown.label, shown.command, shown.picture) == (None, "", None)
    assert book.files == {}


def test_a_photo_of_a_conflict_is_shown_and_lies_beside_the_page(version: DatasetVersion, tmp_path: Path) -> None:
    book = PhotoBook(version)
    ((first, second),) = show_conflicts([conflict(version)], "parts", book)
    assert first.picture is not None
    assert first.picture.alt == "left out: c00/it's.jpg"
    assert second.picture is not None
    assert {first.picture.path, first.picture.large} == set(book.files)
