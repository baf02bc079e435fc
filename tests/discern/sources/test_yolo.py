from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from discern.errors import DataError
from discern.sources.base import Photo
from discern.sources.yolo.source import YoloConfig, YoloSource, upright_size
from edge_runtime.core.images import decode
from tests.discern.pictures import BROKEN, jpeg, saved
from tests.discern.sources.layouts import listed, pack, plant, said


def picture(width: int = 40, height: int = 20, orientation: int = 1, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (90, 60, 30)).save(buffer, kind, exif=exif)
    return buffer.getvalue()


FILES: dict[str, bytes | str] = {
    "data.yaml": "train: images/train\nval: images/val\nnames: [tag, scratch]\n",
    "images/train/a.jpg": picture(),
    "images/train/b.jpg": picture(),
    "images/val/c.jpg": picture(),
    "labels/train/a.txt": "1 0.5 0.5 0.5 1\n0 .25 .5 .1 .2\r\n\n",
    "labels/train/b.txt": "\n",
}
EXPECTED = [
    ("images/train/a.jpg", "tag", (8, 8, 12, 12)),
    ("images/train/a.jpg", "scratch", (10, 0, 30, 20)),
    ("images/train/b.jpg", None, None),
    ("images/val/c.jpg", None, None),
]


photos = partial(listed, "yolo")


def labelled(root: Path, text: bytes | str, changes: Mapping[str, bytes | str] | None = None) -> list[Photo]:
    """The things in `images/train/a.jpg` with these labels."""
    files = {**FILES, **(changes or {}), "labels/train/a.txt": text}
    return [photo for photo in photos(plant(root / "yolo", files)) if photo.name.endswith("a.jpg")]


def test_a_set_that_only_trains_is_not_split(tmp_path: Path) -> None:
    files = {name: content for name, content in FILES.items() if "/val/" not in name and name != "data.yaml"}
    found = photos(plant(tmp_path / "yolo", {**files, "data.yaml": "train: images/train\nnames: [tag, dent]\n"}))
    assert {photo.split for photo in found} == {None}


@pytest.mark.parametrize("top", ["", "set/"])
def test_a_folder_and_an_archive_hold_the_same(tmp_path: Path, top: str) -> None:
    found = photos(pack(tmp_path / "a.zip", FILES, top), margin=0.5)
    assert said(found) == [(top + name, label, box) for name, label, box in EXPECTED]
    assert [photo.split for photo in found] == ["train", "train", "train", "validation"]
    assert [photo.margin for photo in found] == [0.5, 0.5, 0, 0]
    assert found[0].load() == FILES["images/train/a.jpg"]
    assert said(photos(plant(tmp_path / "yolo", FILES))) == EXPECTED


def test_names_tell_groups(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "yolo", FILES), names={"group_pattern": "/(train|val)/"})
    assert [photo.group for photo in found] == ["train", "train", "train", "val"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_boxes_are_of_the_upright_picture(tmp_path: Path, orientation: int, kind: str) -> None:
    data = picture(40, 20, orientation, kind)
    height, width = decode(data).shape[:2]
    assert upright_size(data) == (width, height)
    (thing,) = labelled(tmp_path, "0 0.5 0.5 1 1", {"images/train/a.jpg": data})
    assert thing.box == (0, 0, width, height)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA"])
def test_the_size_of_pictures_of_other_modes(mode: str) -> None:
    assert upright_size(saved(mode, "PNG")) == (24, 24)


@pytest.mark.parametrize("name", ["empty.jpg", "text.jpg"])
def test_things_in_what_is_no_picture_have_no_box(tmp_path: Path, name: str) -> None:
    data = BROKEN[name]()
    assert upright_size(data) is None
    found = labelled(tmp_path, "0 0.5 0.5 1 1\n1 0.5 0.5 1 1", {"images/train/a.jpg": data})
    assert [(photo.label, photo.box, photo.margin) for photo in found] == [("scratch", None, 0), ("tag", None, 0)]


def test_a_giant_picture_is_for_ingest_to_refuse(recwarn: pytest.WarningsRecorder) -> None:
    assert upright_size(BROKEN["giant.png"]()) is None


def test_only_pictures_with_labels_are_read_before_they_are_loaded(tmp_path: Path) -> None:
    root = plant(tmp_path / "yolo", FILES)
    source = YoloSource(YoloConfig(path=str(root)))
    (root / "images/train/b.jpg").unlink()
    assert len(list(source.photos())) == 4
    (root / "images/train/a.jpg").unlink()
    with pytest.raises(DataError, match=r"images/train/a\.jpg cannot be read"):
        list(source.photos())


def test_the_photos_stream_again(tmp_path: Path) -> None:
    source = YoloSource(YoloConfig(path=str(plant(tmp_path / "yolo", FILES))))
    assert said(list(source.photos())) == said(list(source.photos())) == EXPECTED


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("0 0.1 0.2 0.5 0.4 0.3 0.9", (4, 4, 20, 18)),  # a triangle
        ("0 0.1 0.2 0.5 0.2 0.5 0.9 0.1 0.9", (4, 4, 20, 18)),
        ("0 0.1 0.1 0.4 0.4", (-4, -2, 12, 6)),  # over the edge: for ingest to judge
        ("0 1.01 0.5 0 0", (40, 10, 40, 10)),  # cut: a tool rounded
        ("1.0 0.5 0.5 1 1", (0, 0, 40, 20)),  # written by numpy
        ("1.000000e+00 5e-01 5e-01 1 1", (0, 0, 40, 20)),
        ("0 0.2 -0.002 0.5 0.3 1.0004 0.7", (8, 0, 40, 14)),
        ("0\t5e-1  0.5 1 1 ", (0, 0, 40, 20)),
        ("0 0.333333333 0.5 0.666666666 1", (0, 0, 26.666667, 20)),
    ],
)
def test_boxes_and_polygons(tmp_path: Path, line: str, box: tuple[float, ...]) -> None:
    (thing,) = labelled(tmp_path, line)
    assert thing.box == box
    assert "-0.0" not in str(thing.box)


def test_the_box_of_a_pose_comes_first(tmp_path: Path) -> None:
    pose = {"data.yaml": str(FILES["data.yaml"]) + "kpt_shape: [2, 3]\n"}
    (thing,) = labelled(tmp_path, "0 0.5 0.5 0.5 1 0.9 0.9 2 0.1 0.1 0", pose)
    assert thing.box == (10, 0, 30, 20)
    (thing,) = labelled(tmp_path, "0 0.5 0.5 0.5 1", pose)
    assert "has 4 numbers after its class, and 10 are needed" in str(thing.fault)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0.5 0.5 1 1", "has the class '2', which has no name: correct it, or add the name"),
        ("-1 0.5 0.5 1 1", "has the class '-1', which has no name"),
        ("tag 0.5 0.5 1 1", "has the class 'tag', which has no name"),
        ("0.5 0.5 0.5 1 1", "has the class '0.5', which has no name"),
        ("0 0.5 0.5 1.0101 1", "has 1.0101, and shares of a picture's sides are 0 to 1: correct it"),
        ("0 -0.1 0.5 1 1", "has -0.1, and shares of a picture's sides are 0 to 1"),
        ("0 20 10 40 20", "has 20, and shares"),
        ("0 0.5 0.5 1", "has 3 numbers after its class, and 4 (a box) or 6, 8, 10 ... (a polygon) are needed"),
        ("0", "has 0 numbers after its class"),
        ("0 0.5 0.5 1 1 0.9", "has 5 numbers after its class"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "has 7 numbers after its class"),
        ("0 0.5 nan 1 1", "has 'nan' where a number belongs"),
        ("0 0.5 inf 1 1", "has 'inf' where a number belongs"),
        ("0,0.5,0.5,1,1", "has the class '0,0.5,0.5,1,1', which has no name"),
    ],
)
def test_a_line_that_does_not_fit_is_a_fault(tmp_path: Path, line: str, message: str) -> None:
    found = labelled(tmp_path, f"0 0.5 0.5 1 1\n\n{line}\n")
    assert [photo.box for photo in found if photo.fault is None] == [(0, 0, 40, 20)]
    (fault,) = [photo.fault for photo in found if photo.fault is not None]
    assert fault.startswith(f"line 3 of labels/train/a.txt {message}")
    assert fault.endswith(".")


def test_labels_that_are_no_text_are_a_fault(tmp_path: Path) -> None:
    (photo,) = labelled(tmp_path, jpeg(1))
    assert "labels/train/a.txt in" in str(photo.fault)
    assert "is not UTF-8 text" in str(photo.fault)


def test_labels_without_an_image_are_a_fault(tmp_path: Path) -> None:
    root = plant(tmp_path / "yolo", {**FILES, "labels/train/x.txt": "0 0.5 0.5 1 1"})
    assert [(photo.name, photo.fault) for photo in photos(root) if photo.fault] == [
        ("labels/train/x.txt", f"labels/train/x.txt in {root} has no image: add the image, or remove the labels.")
    ]


def test_a_file_without_lines_is_of_an_image_in_which_somebody_saw_nothing(tmp_path: Path) -> None:
    found = {photo.name[-5:]: photo.kind for photo in photos(plant(tmp_path / "yolo", FILES))}
    assert (found["b.jpg"], found["c.jpg"]) == ("empty", "unlabelled")


@pytest.mark.parametrize("settings", [{"margin": -1}, {"path": ""}, {"data": ""}, {"names": {}}, {"splits": {}}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        YoloConfig.model_validate({"path": "x", **settings})
