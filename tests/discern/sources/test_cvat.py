"""CVAT for images 1.1."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from discern.sources.base import StatedSize
from discern.sources.cvat.source import CvatConfig
from tests.discern.pictures import jpeg
from tests.discern.sources.layouts import complaint_of, faults_of, listed, pack, plant, said

BOX = '<box label="tag" xtl="1.5" ytl="2" xbr="3" ybr="4" occluded="0" z_order="0"/>'


def xml(**images: str) -> str:
    """An export; each image is a name and its shapes."""
    elements = "".join(
        f'<image id="{i}" name="{name}.jpg" width="24" height="48">{shapes}</image>'
        for i, (name, shapes) in enumerate(images.items())
    )
    return f'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta/>{elements}</annotations>'


FILES: dict[str, bytes | str] = {
    **{f"images/{name}.jpg": jpeg(i) for i, name in enumerate("abcd")},
    "annotations.xml": xml(a=BOX + BOX.replace("tag", "dent"), b="", c='<tag label="scratch"/>'),
}
EXPECTED = [
    ("images/a.jpg", "dent", (1.5, 2, 3, 4)),
    ("images/a.jpg", "tag", (1.5, 2, 3, 4)),
    ("images/b.jpg", None, None),
    ("images/c.jpg", "scratch", None),
    ("images/d.jpg", None, None),
]
photos = partial(listed, "cvat")
complaint = partial(complaint_of, "cvat", FILES)
faults = partial(faults_of, "cvat", FILES)


@pytest.mark.parametrize("top", ["", "set/"])
def test_a_folder_and_an_archive_hold_the_same(tmp_path: Path, top: str) -> None:
    found = photos(pack(tmp_path / "a.zip", FILES, top), margin=0.5)
    assert said(found) == [(top + name, label, box) for name, label, box in EXPECTED]
    assert [photo.margin for photo in found] == [0.5, 0.5, 0, 0, 0]
    assert [photo.kind for photo in found] == ["instance", "instance", "empty", "instance", "unlabelled"]
    assert found[0].stated_size == StatedSize(24, 48, None, "a")
    assert said(photos(plant(tmp_path / "cvat", FILES))) == EXPECTED


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ('<box label="tag" xtl="40" ytl="35" xbr="60" ybr="45" rotation="90.0"/>', (45, 30, 55, 50)),
        ('<polygon label="tag" points="3,9;7.5,2;5,4"/>', (3, 2, 7.5, 9)),
        ('<polyline label="tag" points="3,9;7.5,2"/>', (3, 2, 7.5, 9)),
        ('<points label="tag" points="3,9;7.5,2;"/>', (3, 2, 7.5, 9)),
        ('<ellipse label="tag" cx="50" cy="40" rx="20" ry="10"/>', (30, 30, 70, 50)),
        ('<mask label="tag" rle="1, 2" left="3" top="2" width="4" height="7"/>', (3, 2, 7, 9)),
        ('<cuboid label="tag" xtl1="3" ytl1="9" xbl1="7" ybl1="2" xbr2="5" ybr2="4"/>', (3, 2, 7, 9)),
        (
            '<skeleton label="tag"><points label="1" outside="0" points="3,9"/><points label="2" points="7,2"/>'
            '<points label="3" outside="1" points="90,90"/></skeleton>',
            (3, 2, 7, 9),
        ),
        (' <box label=" tag " xtl="3" ytl="2" xbr="7" ybr="9"><attribute name="x">1</attribute></box> ', (3, 2, 7, 9)),
    ],
)
def test_every_shape_gives_the_box_around_it(tmp_path: Path, shape: str, box: tuple[float, ...]) -> None:
    found = photos(plant(tmp_path / "cvat", {**FILES, "annotations.xml": xml(a=shape)}))
    assert said(found)[0] == ("images/a.jpg", "tag", box)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ('<box label="tag" xtl="1"/>', "shape 1 (<box>) of image 'a.jpg' of annotations.xml has no ytl: export it"),
        ('<box label="tag" xtl="1" ytl="x" xbr="3" ybr="9"/>', "ytl of shape 1 (<box>) of image 'a.jpg' of ann"),
        (
            '<box xtl="1" ytl="1" xbr="3" ybr="9"/>',
            "shape 1 (<box>) of image 'a.jpg' of annotations.xml has a blank label",
        ),
        ('<polygon label="tag" points=""/>', "has no outline that is read here: draw a box, or remove it."),
        ('<polygon label="tag" points="1,2,3"/>', "has points that are not x,y;x,y: export it again."),
        ('<sphere label="tag"/>', "shape 1 (<sphere>) of image 'a.jpg' of annotations.xml has no outline"),
    ],
)
def test_a_shape_that_makes_no_sense_is_a_fault(tmp_path: Path, shape: str, message: str) -> None:
    (fault,) = faults(tmp_path, {"annotations.xml": xml(a=shape + BOX)})
    assert message in fault


def test_images_that_are_not_there_or_twice_are_faults(tmp_path: Path) -> None:
    changes: dict[str, str | bytes | None] = {"more/a.xml": xml(a=BOX, x=BOX)}
    assert faults(tmp_path, changes) == [
        "image 'a.jpg' of more/a.xml and image 'a.jpg' of annotations.xml both mean images/a.jpg: remove one of them.",
        f"image 'x.jpg' of more/a.xml is not in {tmp_path / 'cvat'}: add the image, or remove it from the XML.",
    ]


def test_subsets_and_folders_are_splits(tmp_path: Path) -> None:
    text = (
        xml(a=BOX, b=BOX)
        .replace('name="b.jpg"', 'name="b.jpg" subset="Validation"')
        .replace('name="a.jpg"', 'name="a.jpg" subset="Train"')
    )
    assert [photo.split for photo in photos(plant(tmp_path / "one", {**FILES, "annotations.xml": text}))] == [
        "train",
        "validation",
        None,
        None,
    ]
    files: dict[str, bytes | str] = {}
    for folder in ("Train", "Test"):
        files |= {f"images/{folder}/a.jpg": jpeg(len(files)), f"{folder}.xml": xml(a=BOX)}
    found = photos(plant(tmp_path / "two", files))
    assert [(photo.name, photo.split) for photo in found] == [
        ("images/Test/a.jpg", "test"),
        ("images/Train/a.jpg", "train"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations.xml": "<annotation/>"}, "holds no XML with <annotations>: export it from CVAT as"),
        (
            {"annotations.xml": "<annotations><track/></annotations>"},
            "annotations.xml is CVAT's XML of a video: export",
        ),
        ({"annotations.xml": "<annotations>"}, "annotations.xml is no whole XML file"),
        ({f"images/{name}.jpg": None for name in "abcd"}, "holds no images: export the data set with its images"),
    ],
)
def test_a_set_that_is_none_is_refused(tmp_path: Path, changes: dict[str, bytes | str | None], message: str) -> None:
    assert message in complaint(tmp_path, changes)


def test_the_xml_may_be_named(tmp_path: Path) -> None:
    root = plant(tmp_path / "cvat", {**FILES, "more/a.xml": xml(a=BOX, x=BOX)})
    assert said(photos(root, annotations="annotations.xml")) == EXPECTED
    assert "holds no file 'b.xml'" in complaint(tmp_path, {}, annotations="b.xml")


@pytest.mark.parametrize("settings", [{"margin": -1}, {"path": ""}, {"annotations": ""}, {"splits": {}}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CvatConfig.model_validate({"path": "x", **settings})
