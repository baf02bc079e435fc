"""The official splits of a VOC data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.sources.base import Photo
from tests.discern.sources.layouts import plant
from tests.discern.sources.test_voc import FILES, complaint, photos, xml


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


def test_a_list_means_annotations(tmp_path: Path) -> None:
    files = {**FILES, "Annotations/d.xml": xml("c.jpg"), "Annotations/c.xml": xml("d.jpg"), **lists(train="c", val="d")}
    found = splits(photos(plant(tmp_path / "voc", files)))
    assert (found["d"], found["c"]) == ("train", "validation")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"train": "a\nx"}, "line 2 of ImageSets/Main/train.txt names 'x', which has no image in JPEGImages/"),
        ({"train": "a", "val": "a"}, "line 1 of ImageSets/Main/val.txt puts JPEGImages/a.jpg into validation, and"),
        ({"test": "a", "trainval": "a"}, "another list into test: choose one"),
        ({"train": "../../x"}, "names '../../x', which has no image"),
    ],
)
def test_a_list_that_does_not_fit_is_named(tmp_path: Path, named: dict[str, str], message: str) -> None:
    assert message in complaint(tmp_path, lists(**named))
