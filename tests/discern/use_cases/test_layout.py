"""How photos are laid out is seen from their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from discern.errors import DataError
from discern.sources.files.open import open_tree
from discern.sources.registry import FolderConfig, open_source
from discern.use_cases.layout import Kind, Layout, recognise
from tests.discern.pictures import fill, jpeg


def seen(folder: Path, kind: Kind | None = None) -> Layout:
    return recognise(open_tree(str(folder)), str(folder), kind)


def refused(folder: Path, kind: Kind | None = None) -> list[str]:
    with pytest.raises(DataError) as caught:
        seen(folder, kind)
    return str(caught.value).splitlines()


def put(folder: Path, path: str, content: bytes | str) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def coco(*names: str) -> str:
    images: list[dict[str, Any]] = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    annotations = [
        {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 1, 9, 9]} for number in range(len(names))
    ]
    return json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]})


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    fill(tmp_path)
    put(tmp_path, "notes.txt", "nothing")
    put(tmp_path, "prices.csv", "article,price\n1,2\n")
    put(tmp_path, "settings.json", "{}")
    assert seen(tmp_path).source == {"kind": "folder", "path": str(tmp_path)}


def test_a_coco_file(tmp_path: Path) -> None:
    put(tmp_path, "images/a.jpg", jpeg(1))
    put(tmp_path, "result.json", coco("a.jpg"))
    layout = seen(tmp_path)
    assert layout.source == {"kind": "coco", "path": str(tmp_path), "annotations": "result.json"}


def test_a_coco_file_for_each_split(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "valid", "test")):
        put(tmp_path, f"{split}/{split}.jpg", jpeg(number))
        put(tmp_path, f"{split}/_annotations.coco.json", coco(f"{split}.jpg"))
    layout = seen(tmp_path)
    assert layout.source["splits"] == {
        "test": "test/_annotations.coco.json",
        "train": "train/_annotations.coco.json",
        "validation": "valid/_annotations.coco.json",
    }
    from discern.sources.coco.source import CocoConfig

    assert len(open_source(CocoConfig.model_validate(layout.source))) == 3


def test_coco_files_that_name_no_split_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        put(tmp_path, f"{name}.jpg", jpeg(1))
        put(tmp_path, f"{name}.json", coco(f"{name}.jpg"))
    assert "holds 2 COCO files (one.json, two.json)" in refused(tmp_path)[0]


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("Annotations/a.xml", "<annotation/>", "voc"),
        ("data.yaml", "names: [a]", "yolo"),
        ("classes.txt", "a\n", "yolo"),
        ("photos.csv", "path;label;price\n", "table"),
        ("annotations.xml", '<?xml version="1.0"?>\n<annotations>\n  <version>1.1</version></annotations>', "cvat"),
        ("project-1.json", '[{"id": 1, "data": {"image": "images/a.jpg"}, "annotations": []}]', "label_studio"),
    ],
)
def test_files_that_describe_photos(tmp_path: Path, path: str, content: str, kind: Kind) -> None:
    put(tmp_path, "images/a.jpg", jpeg(1))
    put(tmp_path, path, content)
    assert seen(tmp_path).kind == kind


def test_a_person_may_say_it(tmp_path: Path) -> None:
    fill(tmp_path)
    put(tmp_path, "photos.csv", "path,label\n")
    assert seen(tmp_path).kind == "table"
    assert seen(tmp_path, "folder").kind == "folder"


def test_every_problem_of_a_folder_is_told_at_once(tmp_path: Path) -> None:
    fill(tmp_path, classes=2)
    put(tmp_path, "loose.jpg", jpeg(1))
    put(tmp_path, "empty/notes.txt", "x")
    put(tmp_path, "single/1.jpg", jpeg(2))
    sentences = refused(tmp_path)
    assert [sentence.split(" in ")[0] for sentence in sentences] == [
        "loose.jpg",
        "the class folder empty",
        "class single",
    ]


def test_a_level_too_high_is_refused_and_one_class_is_not(tmp_path: Path) -> None:
    fill(tmp_path / "photos of" / "fruit", classes=2)
    assert "holds one class (fruit), with the folders c00, c01 inside" in refused(tmp_path / "photos of")[0]
    assert seen(fill(tmp_path / "one", classes=1)).kind == "folder"


def test_no_photos_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "notes.txt", "x")
    assert "holds no photos" in refused(tmp_path)[0]


def test_split_folders_above_the_classes_are_read(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        fill(tmp_path / split, classes=2)
    layout = seen(tmp_path)
    photos = list(open_source(FolderConfig.model_validate(layout.source)).photos())
    assert {photo.label for photo in photos} == {"c00", "c01"}
    assert {photo.split for photo in photos} == {"train", "validation", "test"}


def test_a_layout_that_is_not_there_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    assert "holds no .json with images, annotations, categories" in refused(tmp_path, "coco")[0]
