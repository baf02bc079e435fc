from __future__ import annotations

import json
from pathlib import Path

import pytest

from discern.errors import DataError
from discern.sources.coco import reader
from discern.sources.coco.reader import CocoObject, find_coco, read_coco
from discern.sources.files.open import open_tree
from discern.sources.files.tree import READ_LIMIT, Tree
from tests.discern.sources import test_coco
from tests.discern.sources.layouts import AWKWARD_LABELS, UNFIT_LABELS, Files, plant, sentence

CONTENT: dict[str, list[object]] = {
    "images": [{"id": 1, "file_name": "a.jpg"}, {"id": "1", "file_name": "b.jpg"}],
    "categories": [{"id": 0, "name": "Mu\u0308nze"}, {"id": "x", "name": "M\u00fcnze"}],
    "annotations": [
        {"image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4]},
        {"image_id": "1", "category_id": "x", "bbox": [0.5, 0, 1, 1], "iscrowd": 1},
    ],
}


def tree(tmp_path: Path, files: Files) -> Tree:
    return open_tree(str(plant(tmp_path / "coco", files)))


def complaint(tmp_path: Path, files: Files, path: str = "labels.json") -> str:
    with pytest.raises(DataError) as caught:
        read_coco(tree(tmp_path, files), path)
    return sentence(caught.value)


def test_a_file_says_what_is_in_its_images(tmp_path: Path) -> None:
    found = read_coco(tree(tmp_path, {"in/labels.json": json.dumps(CONTENT)}), "./in/labels.json")
    assert found.path == "in/labels.json"
    first, second = found.images
    assert (first.file_name, first.where) == ("a.jpg", "image 1 of in/labels.json")
    assert first.objects == [CocoObject("M\u00fcnze", (1, 2, 4, 6), False)]
    assert (second.file_name, second.where) == ("b.jpg", "image '1' of in/labels.json")
    assert second.objects == [CocoObject("M\u00fcnze", (0.5, 0, 1.5, 1), True)]


def test_the_file_is_found_among_others(tmp_path: Path) -> None:
    others = {"package.json": "{}", "lists.json": '["images", "annotations", "categories"]', "broken.json": "{"}
    captions = json.dumps({"images": [], "annotations": []})
    files = {**others, "captions.json": captions, "in/instances.JSON": "\ufeff" + json.dumps(CONTENT)}
    ((split, found),) = find_coco(tree(tmp_path, files))
    assert (split, found.path) == (None, "in/instances.JSON")


def test_none_or_two_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.json with images, annotations, categories: name your file"):
        find_coco(tree(tmp_path / "none", {"a.json": "{}"}))
    both = dict.fromkeys(("a.json", "b.json"), json.dumps(CONTENT))
    with pytest.raises(DataError, match=r"a\.json and b\.json in .* are both COCO files: name one in annotations"):
        find_coco(tree(tmp_path / "two", both))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "labels.json holds no object with images, annotations, categories"),
        ("{}", "labels.json has no list of categories: export it again as COCO"),
        ('{"images": [], "annotations": {}, "categories": []}', "labels.json has no list of annotations"),
        ("", "labels.json is no whole JSON file (Expecting value"),
        (b"\xff\xd8\xff\xe0", "labels.json is no whole JSON file"),
        ("[" * 100_000, "labels.json is no whole JSON file (maximum recursion depth"),
        ('{"images": ' + "1" * 5000 + "}", "labels.json is no whole JSON file (Exceeds the limit"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_json_of_another_kind_is_named(tmp_path: Path, content: bytes | str, message: str) -> None:
    assert message in complaint(tmp_path, {"labels.json": content})


@pytest.mark.parametrize("path", ["lables.json", "../labels.json", "/etc/passwd", "in"])
def test_a_json_that_does_not_exist_is_named(tmp_path: Path, path: str) -> None:
    message = complaint(tmp_path, {"labels.json": "{}", "in/notes.json": "x", "a.jpg": b""}, path)
    assert f"holds no file {path!r}: its JSON files are in/notes.json, labels.json." in message


def test_a_json_may_be_larger_than_a_photo(tmp_path: Path) -> None:
    found = read_coco(tree(tmp_path, {"labels.json": json.dumps(CONTENT) + " " * READ_LIMIT}), "labels.json")
    assert len(found.images) == 2


def test_a_json_too_large_is_refused_rather_than_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LARGE", 300)
    message = complaint(tmp_path, {"labels.json": json.dumps(CONTENT)})
    assert message.endswith("has more than 300 bytes: split it into smaller files.")


@pytest.mark.parametrize("label", AWKWARD_LABELS)
def test_a_label_stays_as_it_is(tmp_path: Path, label: str) -> None:
    root = plant(tmp_path / "coco", {**test_coco.FILES, **test_coco.changed("categories", 0, name=label)})
    assert label in {photo.label for photo in test_coco.photos(root)}


@pytest.mark.parametrize("label", [*UNFIT_LABELS, "", " ", "\ud800"])
def test_an_unfit_label_is_named(tmp_path: Path, label: str) -> None:
    found = test_coco.faults(tmp_path, test_coco.changed("categories", 0, name=label))
    assert len(found) == 2
    assert all(fault.startswith("category 3 of labels.json has a") for fault in found)


@pytest.mark.parametrize("bbox", [None, [], [1, 2, 3], "1,2,3,4", [1, 2, "3", 4], [1, 2, True, 4], [1, 2, 10**400, 4]])
def test_a_box_that_is_none_is_a_fault(tmp_path: Path, bbox: object) -> None:
    (fault,) = test_coco.faults(tmp_path, test_coco.changed("annotations", 1, bbox=bbox))
    assert fault.startswith("annotation 2 of labels.json has the bbox ")
    assert len(fault) < 350


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_coordinate_that_is_not_finite_is_a_fault(tmp_path: Path, text: str) -> None:
    content = json.dumps(test_coco.CONTENT).replace("[9, 2,", f"[9, {text},")
    (fault,) = test_coco.faults(tmp_path, {"labels.json": content})
    assert fault.startswith("annotation 2 of labels.json has the bbox [9, ")


def test_entries_that_are_no_objects_are_faults(tmp_path: Path) -> None:
    content = {key: [*records, 3] for key, records in CONTENT.items()}
    found = read_coco(tree(tmp_path, {"labels.json": json.dumps(content)}), "labels.json")
    assert [where for where, _ in found.strays] == [
        "entry 3 of images in labels.json",
        "entry 3 of annotations in labels.json",
    ]
    assert len(found.images) == 2
