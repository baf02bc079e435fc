"""The official splits of a VOC data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.sources.base import Photo
from tests.discern.sources.layouts import plant
from tests.discern.sources.test_voc import FILES, faults, photos


def lists(**named: str) -> dict[str, bytes | str]:
    return {f"ImageSets/Main/{name}.txt": text for name, text in named.items()}


def splits(found: list[Photo]) -> dict[str, str | None]:
    return {photo.name[11]: photo.split for photo in found}


def test_the_official_lists_are_followed(tmp_path: Path) -> None:
    root = plant(tmp_path / "voc", {**FILES, **lists(train="a\n", val="b\r\n\r\n", trainval="a\nb\nd\n", test="c")})
    assert splits(photos(root)) == {"a": "train", "b": "validation", "c": "test", "d": "train"}
    assert set(splits(photos(root, splits=False)).values()) == {None}


def test_an_image_that_no_list_holds_has_no_split(tmp_path: Path) -> None:
    root = plant(tmp_path / "voc", {**FILES, **lists(test="c", tag_train="a  1\nb -1\n")})
    assert splits(photos(root)) == {"a": None, "b": None, "c": "test", "d": None}


def test_lines_may_have_extensions_and_marks(tmp_path: Path) -> None:
    named = lists(train="# made by hand\na.jpg\n", val="b 1\nc -1\n")
    assert splits(photos(plant(tmp_path / "voc", {**FILES, **named}))) == {
        "a": "train",
        "b": "validation",
        "c": "validation",
        "d": None,
    }


def test_folders_named_after_splits_count_where_there_are_no_lists(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {}
    for folder in ("train", "valid", "test"):
        files |= {f"{folder}/{name}.jpg": content for name, content in (("a", FILES["JPEGImages/a.jpg"]),)}
        files[f"{folder}/a.xml"] = FILES["Annotations/a.xml"]
    found = photos(plant(tmp_path / "voc", files))
    assert {(photo.name, photo.split) for photo in found} == {
        ("train/a.jpg", "train"),
        ("valid/a.jpg", "validation"),
        ("test/a.jpg", "test"),
    }
    assert {photo.split for photo in photos(tmp_path / "voc", splits=False)} == {None}


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"train": "a\nx"}, "line 2 of ImageSets/Main/train.txt names 'x', which is the name of no image: add it, or"),
        ({"train": "a", "val": "a"}, "line 1 of ImageSets/Main/val.txt puts JPEGImages/a.jpg into validation, and"),
        ({"test": "a", "trainval": "a"}, "another list into test: choose one"),
        ({"train": "../../x"}, "names '../../x', which is the name of no image"),
    ],
)
def test_a_line_that_does_not_fit_is_a_fault(tmp_path: Path, named: dict[str, str], message: str) -> None:
    (fault,) = faults(tmp_path, lists(**named))
    assert message in fault
