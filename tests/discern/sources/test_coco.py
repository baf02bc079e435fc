from __future__ import annotations

import json
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from discern.sources.base import Photo, StatedSize
from discern.sources.coco.source import CocoConfig, CocoSource
from discern.sources.names import NamesConfig
from discern.sources.voc.source import VocConfig, VocSource
from tests.discern.pictures import jpeg
from tests.discern.sources.layouts import complaint_of, faults_of, listed, pack, plant, said
from tests.discern.sources.test_voc import FILES as VOC_FILES

IMAGES: dict[str, bytes | str] = {f"photos/{name}.jpg": jpeg(i) for i, name in enumerate("abcd")}
CONTENT: dict[str, Any] = {
    "info": {"year": 2026},
    "images": [
        {"id": 7, "file_name": "c.jpg", "width": 24, "height": 24},
        {"id": "b", "file_name": "b.jpg"},
        {"id": 0, "file_name": "a.jpg"},
    ],
    "categories": [{"id": 3, "name": "tag"}, {"id": 0, "name": "scratch"}, {"id": 9, "name": "dent"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 24, 24]},
        {"id": 2, "image_id": 0, "category_id": 3, "bbox": [9, 2, 3, 12], "iscrowd": 0},
        {"id": 3, "image_id": 0, "category_id": 0, "bbox": [1.5, 2, 1.5, 2]},
        {"id": 4, "image_id": 0, "category_id": 9, "bbox": [1.5, 2, 1.5, 2]},
    ],
}
EXPECTED = [
    ("photos/a.jpg", "dent", (1.5, 2, 3, 4)),
    ("photos/a.jpg", "scratch", (1.5, 2, 3, 4)),
    ("photos/a.jpg", "tag", (9, 2, 12, 14)),
    ("photos/b.jpg", None, None),
    ("photos/c.jpg", "tag", (0, 0, 24, 24)),
    ("photos/d.jpg", None, None),
]
FILES: dict[str, bytes | str] = {**IMAGES, "labels.json": json.dumps(CONTENT), "notes.json": "[1]", "info.txt": "x"}


photos = partial(listed, "coco")
complaint = partial(complaint_of, "coco", FILES)
faults = partial(faults_of, "coco", FILES)


def changed(key: str, place: int, **values: Any) -> dict[str, str]:
    """The JSON with one record changed."""
    content = deepcopy(CONTENT)
    content[key][place].update(values)
    return {"labels.json": json.dumps(content)}


def named(*names: str, boxes: bool = False) -> str:
    """A JSON of some images, with a thing in each."""
    return json.dumps(
        {
            "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
            "categories": [{"id": 0, "name": "tag"}],
            "annotations": [{"id": i, "image_id": i, "category_id": 0, "bbox": [0, 0, 9, 9]} for i in range(len(names))]
            if boxes
            else [],
        }
    )


@pytest.mark.parametrize("top", ["", "set/", "a/b/"])
def test_a_folder_and_an_archive_hold_the_same(tmp_path: Path, top: str) -> None:
    expected = [(top + name, label, box) for name, label, box in EXPECTED]
    assert said(photos(pack(tmp_path / "a.zip", FILES, top))) == expected
    found = photos(plant(tmp_path / "coco", {top + name: content for name, content in FILES.items()}))
    assert said(found) == expected
    assert {(photo.split, photo.role, photo.group, photo.captured_at) for photo in found} == {(None, None, None, None)}
    assert found[0].load() == FILES["photos/a.jpg"]


def test_voc_and_coco_of_one_data_set_say_the_same(tmp_path: Path) -> None:
    files = {**VOC_FILES, "labels.json": json.dumps(CONTENT)}
    root = plant(tmp_path / "both", files)
    names = NamesConfig(group_pattern="([ab])\\.jpg")
    voc = VocSource(VocConfig(path=str(root), names=names, margin=0.1))
    coco = CocoSource(CocoConfig(path=str(root), names=names, margin=0.1))
    assert voc.name == coco.name == "both"

    def facts(photo: Photo) -> tuple[object, ...]:
        return (*said([photo]), photo.split, photo.role, photo.group, photo.captured_at, photo.margin, photo.stamp)

    assert [facts(photo) for photo in voc.photos()] == [facts(photo) for photo in coco.photos()]
    assert [type(x) for photo in coco.photos() for x in photo.box or ()] == [float] * 16


def test_sums_are_rounded_to_what_a_person_would_write(tmp_path: Path) -> None:
    root = plant(tmp_path / "coco", {**FILES, **changed("annotations", 0, bbox=[10.1, 0.1, 0.2, 0.2])})
    assert photos(root)[4].box == (10.1, 0.1, 10.3, 0.3)


def test_crowds_are_left_out_unless_wanted(tmp_path: Path) -> None:
    root = plant(tmp_path / "coco", {**FILES, **changed("annotations", 0, iscrowd=1)})
    assert said(photos(root)) == [one for one in EXPECTED if "c.jpg" not in one[0]]  # labelled, with nothing to show
    assert said(photos(root, crowd=True)) == EXPECTED


def test_one_file_a_split(tmp_path: Path) -> None:
    files = {**IMAGES, "train.json": named("a.jpg", "b.jpg", boxes=True), "val.json": named("c.jpg")}
    root = plant(tmp_path / "coco", files)
    found = photos(root, splits={"train": "train.json", "val": "val.json"})
    assert [(photo.name[7], photo.label, photo.split) for photo in found] == [
        ("a", "tag", "train"),
        ("b", "tag", "train"),
        ("c", None, "validation"),
        ("d", None, None),
    ]
    assert said(photos(root, annotations="train.json"))[2:] == [
        ("photos/c.jpg", None, None),
        ("photos/d.jpg", None, None),
    ]


def test_an_image_in_two_splits_is_named(tmp_path: Path) -> None:
    changes = {"train.json": named("a.jpg"), "test.json": named("b.jpg", "photos/a.jpg")}
    (fault,) = faults(tmp_path, changes, splits={"train": "train.json", "test": "test.json"})
    assert (
        fault
        == "image 1 of test.json (test) and image 0 of train.json (train) both mean photos/a.jpg: remove one of them."
    )


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["in/x/a.jpg", "in/y/a.jpg"], {"x/a.jpg": "in/x/a.jpg", "y/a.jpg": "in/y/a.jpg"}),
        (["a.jpg", "in/a.jpg"], {"a.jpg": "a.jpg"}),
        (["in/a.jpg"], {"old/a.jpg": "in/a.jpg"}),
        (["in/a.jpg"], {"/home/ann/a.jpg": "in/a.jpg"}),
        (["in/a.jpg"], {"C:\\photos\\a.jpg": "in/a.jpg"}),
        (["in/a.jpg"], {"../../in/a.jpg": "in/a.jpg"}),
        (["in/a.jpg"], {"./a.jpg": "in/a.jpg"}),
        (["in/A.JPG"], {"a.jpg": "in/A.JPG"}),
        (["x/1/a.jpg", "x/2/a.jpg"], {"1\\a.jpg": "x/1/a.jpg", "D:\\set\\2\\a.jpg": "x/2/a.jpg"}),
        (["x/1/a.jpg", "x/2/a.jpg"], {"file:///home/bob/1/a.jpg": "x/1/a.jpg", "https://h/2/a.jpg?s=1": "x/2/a.jpg"}),
        (["in/a b.jpg"], {"a%20b.jpg": "in/a b.jpg"}),
        (["in/a.jpg"], {"upload/3/0b1c2d3e-a.jpg": "in/a.jpg"}),
        (["in/a.png"], {"a.jpg": "in/a.png"}),
        (["in/caf\u0065\u0301.jpg"], {"caf\u00e9.jpg": "in/cafe\u0301.jpg"}),
    ],
)
def test_images_are_found_by_their_names(tmp_path: Path, files: list[str], names: dict[str, str]) -> None:
    content: dict[str, bytes | str] = {**dict.fromkeys(files, jpeg(1)), "labels.json": named(*names, boxes=True)}
    found = photos(pack(tmp_path / "a.zip", content))
    assert [photo.name for photo in found if photo.label] == sorted(names.values())


def test_only_images_among_the_listed_ones_are_reported_as_unlabelled(tmp_path: Path) -> None:
    others = ("in/b.jpg", "in/new/c.jpg", "in2/d.jpg", "e.jpg")
    content: dict[str, bytes | str] = {
        **dict.fromkeys(("in/x/a.jpg", *others), jpeg(1)),
        "labels.json": named("x/a.jpg", boxes=True),
    }
    root = plant(tmp_path / "coco", content)
    assert [photo.name for photo in photos(root)] == ["in/b.jpg", "in/new/c.jpg", "in/x/a.jpg"]
    root = plant(tmp_path / "base", {**content, "labels.json": named("old/x/a.jpg", boxes=True)})
    assert [photo.name for photo in photos(root)] == ["in/x/a.jpg"]
    root = plant(tmp_path / "tail", {"in/xx/a.jpg": jpeg(1), "in/xy/b.jpg": jpeg(2), "l.json": named("x/a.jpg")})
    assert [photo.name for photo in photos(root)] == ["in/xx/a.jpg"]


@pytest.mark.parametrize("folder", ["in", "in/", "/in/", "./in"])
def test_the_folder_of_the_images_may_be_said(tmp_path: Path, folder: str) -> None:
    content: dict[str, bytes | str] = {
        **dict.fromkeys(("in/a.jpg", "in/x/b.jpg", "a.jpg"), jpeg(1)),
        "labels.json": named("a.jpg", boxes=True),
    }
    root = plant(tmp_path / "coco", content)
    assert said(photos(root, images=folder)) == [("in/a.jpg", "tag", (0, 0, 9, 9)), ("in/x/b.jpg", None, None)]


def test_settings_pass_over_the_top_folder_of_an_archive(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", FILES, "set/")
    expected = [(f"set/{name}", label, box) for name, label, box in EXPECTED]
    assert said(photos(archive, annotations="labels.json", images="photos")) == expected
    assert said(photos(archive, splits={"test": "labels.json"})) == expected


@pytest.mark.parametrize(("folder", "name"), [("in", "b.jpg"), ("in", "../a.jpg"), ("in", "/a.jpg"), (".", "b.jpg")])
def test_below_the_folder_of_the_images_nothing_is_guessed(tmp_path: Path, folder: str, name: str) -> None:
    changes: dict[str, bytes | str | None] = {"in/a.jpg": jpeg(1), "in/x/b.jpg": jpeg(2), "labels.json": named(name)}
    assert any(
        fault.startswith(f"image 0 of labels.json names {name!r}, which")
        for fault in faults(tmp_path, changes, images=folder)
    )


@pytest.mark.parametrize("folder", ["..", "nowhere", "in/..", "../coco/photos"])
def test_a_folder_without_images_is_named(tmp_path: Path, folder: str) -> None:
    assert f"holds no images in {folder}/: put them there" in complaint(tmp_path, {}, images=folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (changed("annotations", 1, image_id=99), "annotation 2 of labels.json has image_id 99, which no image has"),
        (changed("annotations", 1, image_id=None), "annotation 2 of labels.json has image_id null, which no image"),
        (
            changed("annotations", 1, image_id=False),
            "annotation 2 of labels.json has image_id False, which no image has",
        ),
        (changed("annotations", 1, image_id=[0]), "annotation 2 of labels.json has image_id [0], which no image has"),
        (changed("annotations", 1, id=None, image_id="7"), "annotation 2 of labels.json has image_id '7', which no"),
        (changed("annotations", 1, category_id=4), "annotation 2 of labels.json has category_id 4, which no category"),
        (changed("annotations", 1, category_id=None), "annotation 2 of labels.json has category_id null, which no"),
        (changed("images", 1, id=1.5), "entry 2 of images in labels.json needs an id and a file_name"),
        (changed("images", 1, id=True), "entry 2 of images in labels.json needs an id and a file_name"),
        (changed("images", 1, file_name=None), "entry 2 of images in labels.json needs an id and a file_name"),
        (changed("images", 1, file_name=""), "entry 2 of images in labels.json needs an id and a file_name"),
        (changed("images", 1, file_name="e.jpg"), "image 'b' of labels.json names 'e.jpg', which"),
        (
            changed("images", 1, file_name="../../etc/passwd"),
            "image 'b' of labels.json names '../../etc/passwd', which",
        ),
        (changed("categories", 1, name=5), "entry 2 of categories in labels.json needs an id and a name"),
        ({"in/b.jpg": jpeg(5)}, "image 'b' of labels.json names 'b.jpg', which can mean in/b.jpg and photos/b.jpg"),
    ],
    ids=lambda value: str(value)[-60:],
)
def test_an_entry_that_does_not_fit_is_a_fault_of_its_own(
    tmp_path: Path, changes: dict[str, bytes | str | None], message: str
) -> None:
    (fault,) = faults(tmp_path, changes)
    assert fault.startswith(message)


def test_two_images_of_one_id_are_faults(tmp_path: Path) -> None:
    found = faults(tmp_path, changed("images", 1, id=7))
    assert set(found) == {"two images of labels.json have the id 7, 'c.jpg' and 'b.jpg': give each its own."}


def test_two_categories_of_one_id_are_faults_of_their_things(tmp_path: Path) -> None:
    found = faults(tmp_path, changed("categories", 1, id=3))
    assert found.count("two categories of labels.json have the id 3: give each its own.") == 2
    assert "annotation 3 of labels.json has category_id 0, which no category has: add it to categories." in found


def test_numbers_of_a_table_are_ids(tmp_path: Path) -> None:
    root = plant(tmp_path / "coco", {**FILES, **changed("annotations", 0, image_id=7.0, category_id=3.0)})
    assert said(photos(root)) == EXPECTED


@pytest.mark.parametrize("name", ["c.jpg", "./c.jpg"])
def test_an_image_that_is_listed_twice_has_the_things_of_both(tmp_path: Path, name: str) -> None:
    content = deepcopy(CONTENT)
    content["images"].append({"id": 99, "file_name": name})
    content["annotations"].append({"id": 9, "image_id": 99, "category_id": 9, "bbox": [1, 1, 2, 2]})
    found = said(photos(plant(tmp_path / "coco", {**FILES, "labels.json": json.dumps(content)})))
    assert [thing for thing in found if "c.jpg" in thing[0]] == [
        ("photos/c.jpg", "tag", (0, 0, 24, 24)),
        ("photos/c.jpg", "dent", (1, 1, 3, 3)),
    ]


def test_an_image_without_things_is_one_in_which_somebody_saw_nothing(tmp_path: Path) -> None:
    found = {photo.name: photo for photo in photos(plant(tmp_path / "coco", FILES))}
    assert (found["photos/b.jpg"].kind, found["photos/d.jpg"].kind) == ("empty", "unlabelled")
    nothing = plant(tmp_path / "nothing", {**IMAGES, "labels.json": named("a.jpg", "b.jpg")})
    assert {photo.kind for photo in photos(nothing)} == {"unlabelled"}, "nobody labelled anything yet"


def test_the_stated_size_comes_with_the_box(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "coco", FILES))
    assert [photo.stated_size for photo in found if photo.label] == [None, None, None, StatedSize(24, 24, None, "coco")]
    for side in (0, None, "", -3, True, "many"):
        root = plant(tmp_path / f"side-{side}", {**FILES, **changed("images", 0, width=side)})
        assert {photo.stated_size for photo in photos(root)} == {None}


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (("train/_annotations.coco.json", "valid/_annotations.coco.json"), ("train/0.jpg", "valid/0.jpg")),
        (
            ("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
            ("train2017/0.jpg", "val2017/0.jpg"),
        ),
        (("annotations/train.json", "annotations/val.json"), ("images/Train/0.jpg", "images/Val/0.jpg")),
    ],
)
def test_one_file_a_split_is_found_by_its_name_or_its_folder(
    tmp_path: Path, places: tuple[str, str], names: tuple[str, str]
) -> None:
    files: dict[str, bytes | str] = {name: jpeg(i) for i, name in enumerate(names)}
    files |= {place: named("0.jpg", boxes=True) for place in places}
    files["annotations/person_keypoints_train2017.json"] = named("0.jpg") if "instances" in places[0] else "{}"
    for path in (plant(tmp_path / "coco", files), pack(tmp_path / "a.zip", files, "set/")):
        found = photos(path)
        assert [photo.name.removeprefix("set/") for photo in found] == list(names)
        assert [(photo.label, photo.split) for photo in found] == [("tag", "train"), ("tag", "validation")]


def test_several_files_that_are_no_splits_have_to_be_named(tmp_path: Path) -> None:
    message = complaint(tmp_path, {"more.json": json.dumps(CONTENT)})
    assert "labels.json and more.json in" in message
    assert message.endswith("or one a split in splits, such as {train: labels.json, test: more.json}.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels.json": None}, "holds no .json with images, annotations, categories: name your file in"),
        ({"labels.json": json.dumps(CONTENT)[:-5]}, "labels.json is no whole JSON file (Expecting "),
        (dict.fromkeys(IMAGES), "holds no images: put them there"),
        (
            {"labels.json": '{"shapes": [], "imagePath": "a.jpg"}'},
            "labels.json is labelme's JSON, which is not read here",
        ),
        (
            {"labels.json": '[{"annotations": [{"result": []}]}]'},
            "looks like Label Studio's JSON: set kind to label_studio",
        ),
    ],
)
def test_a_set_that_is_none_is_refused(tmp_path: Path, changes: dict[str, bytes | str | None], message: str) -> None:
    assert message in complaint(tmp_path, changes)


def test_boxes_that_make_no_sense_are_for_ingest_to_refuse(tmp_path: Path) -> None:
    root = plant(tmp_path / "coco", {**FILES, **changed("annotations", 0, bbox=[90, -3, -4, 0])})
    assert photos(root)[4].box == (90, -3, 86, -3)


@pytest.mark.parametrize(
    "settings",
    [
        {"annotations": "a.json", "splits": {"train": "b.json"}},
        {"splits": {"training": "b.json"}},
        {"splits": {"val": "a.json", "dev": "b.json"}},
        {"splits": {}},
        {"splits": "a.json"},
        {"splits": {"train": 5}},
        {"annotations": ""},
        {"margin": -1},
        {"margin": float("inf")},
        {"path": ""},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CocoConfig.model_validate({"path": "x", **settings})


@pytest.mark.parametrize("settings", [{}, {"splits": {"val": "a.json"}}, {"annotations": "a.json", "images": "in"}])
def test_settings_survive_json(settings: dict[str, Any]) -> None:
    config = CocoConfig.model_validate({"path": "x", **settings})
    assert CocoConfig.model_validate_json(config.model_dump_json()) == config
