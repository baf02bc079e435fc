from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from discern.errors import DataError
from discern.sources.base import StatedSize
from discern.sources.voc.source import VocConfig, VocSource
from tests.discern.pictures import jpeg
from tests.discern.sources.layouts import (
    AWKWARD_LABELS,
    UNFIT_LABELS,
    complaint_of,
    faults_of,
    listed,
    pack,
    plant,
    said,
)

Thing = tuple[str, Iterable[object]]


def xml(filename: str | None, *things: Thing, extra: str = "") -> str:
    """An annotation; each thing is a name and its corners."""
    objects = "".join(
        f"<object><name>{name}</name>{extra}<bndbox>"
        + "".join(f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        + "</bndbox></object>"
        for name, box in things
    )
    named = "" if filename is None else f"<filename>{filename}</filename>"
    return f"<annotation><folder>JPEGImages</folder>{named}<size><width>24</width></size>{objects}</annotation>"


FILES: dict[str, bytes | str] = {
    **{f"JPEGImages/{name}.jpg": jpeg(i) for i, name in enumerate("abcd")},
    "Annotations/a.xml": xml("a.jpg", ("tag", (9, 2, 12, 14)), ("scratch", (1.5, 2, 3, 4)), ("dent", (1.5, 2, 3, 4))),
    "Annotations/b.xml": xml("b.jpg"),
    "Annotations/c.xml": xml("c.jpg", ("tag", (0, 0, 24, 24))),
    "notes.txt": "x",
}
EXPECTED = [
    ("JPEGImages/a.jpg", "dent", (1.5, 2, 3, 4)),
    ("JPEGImages/a.jpg", "scratch", (1.5, 2, 3, 4)),
    ("JPEGImages/a.jpg", "tag", (9, 2, 12, 14)),
    ("JPEGImages/b.jpg", None, None),
    ("JPEGImages/c.jpg", "tag", (0, 0, 24, 24)),
    ("JPEGImages/d.jpg", None, None),
]


photos = partial(listed, "voc")
complaint = partial(complaint_of, "voc", FILES)
faults = partial(faults_of, "voc", FILES)


@pytest.mark.parametrize("top", ["", "set/", "a/b/"])
def test_a_folder_and_an_archive_hold_the_same(tmp_path: Path, top: str) -> None:
    expected = [(top + name, label, box) for name, label, box in EXPECTED]
    assert said(photos(pack(tmp_path / "a.zip", FILES, top))) == expected
    found = photos(plant(tmp_path / "voc", {top + name: content for name, content in FILES.items()}))
    assert said(found) == expected
    assert {(photo.split, photo.role, photo.group, photo.captured_at) for photo in found} == {(None, None, None, None)}
    assert found[0].load() == FILES["JPEGImages/a.jpg"]
    assert found[0].stamp


def test_photos_are_read_when_they_are_loaded(tmp_path: Path) -> None:
    root = plant(tmp_path / "voc", FILES)
    source = VocSource(VocConfig(path=str(root)))
    (root / "JPEGImages/a.jpg").unlink()
    first = next(iter(source.photos()))
    with pytest.raises(DataError, match=r"JPEGImages/a\.jpg cannot be read"):
        first.load()
    threads = [threading.Thread(target=photo.load) for photo in source.photos() if not photo.name.endswith("a.jpg")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_margin_is_for_boxes(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "voc", FILES), margin=0.25)
    assert {photo.margin for photo in found if photo.box} == {0.25}
    assert {photo.margin for photo in found if not photo.box} == {0.0}


def test_coordinates_may_count_from_one(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "voc", FILES), one_based=True)
    assert found[2].box == (8, 1, 12, 14)


def test_names_tell_group_and_time(tmp_path: Path) -> None:
    names = {"group_pattern": "JPEGImages/([ab])", "time_pattern": r"(\d{8})", "time_format": "%Y%m%d"}
    found = photos(plant(tmp_path / "voc", {**FILES, "JPEGImages/20200422.jpg": jpeg(9)}), names=names)
    assert [photo.group for photo in found] == [None, "a", "a", "a", "b", None, None]
    assert [str(photo.captured_at) for photo in found if photo.captured_at] == ["2020-04-22 00:00:00+00:00"]


def test_boxes_that_make_no_sense_are_for_ingest_to_refuse(tmp_path: Path) -> None:
    boxes = [(-5, 0, 3, 3), (5, 5, 5, 9), (9, 9, 2, 2), (1000, 1000, 2000, 2000)]
    files = {**FILES, "Annotations/c.xml": xml("c.jpg", *[("tag", box) for box in boxes])}
    assert [photo.box for photo in photos(plant(tmp_path / "voc", files)) if "c.jpg" in photo.name] == sorted(boxes)


@pytest.mark.parametrize("label", AWKWARD_LABELS)
@pytest.mark.parametrize("blanks", ["", "\n    ", " "])
def test_a_label_stays_as_it_is_but_for_blanks_around_it(tmp_path: Path, label: str, blanks: str) -> None:
    files = {**FILES, "Annotations/c.xml": xml("c.jpg", (blanks + label + blanks, (0, 0, 9, 9)))}
    assert label.strip() in {photo.label for photo in photos(plant(tmp_path / "voc", files))}


@pytest.mark.parametrize("label", [*[label for label in UNFIT_LABELS if label.isprintable()], " ", "a\nb", "a\u2028b"])
def test_an_unfit_label_is_named(tmp_path: Path, label: str) -> None:
    (fault,) = faults(tmp_path, {"Annotations/c.xml": xml("c.jpg", (label, (0, 0, 9, 9)))})
    assert fault.startswith("object 1 of Annotations/c.xml has a")


@pytest.mark.parametrize("name", [None, "", " ", "c"])
def test_an_annotation_without_a_file_name_means_the_image_named_like_it(tmp_path: Path, name: str | None) -> None:
    files = {**FILES, "Annotations/c.xml": xml(name, ("tag", (0, 0, 24, 24)))}
    assert said(photos(plant(tmp_path / "voc", files))) == EXPECTED


def test_the_image_named_like_the_annotation_goes_before_a_stale_file_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {**FILES, "Annotations/d.xml": xml("c.jpg", ("tag", (0, 0, 9, 9))), "Annotations/c.xml": xml("old.jpg")}
    found = said(photos(plant(tmp_path / "voc", files)))
    assert found[-2:] == [("JPEGImages/c.jpg", None, None), ("JPEGImages/d.jpg", "tag", (0, 0, 9, 9))]
    assert "Annotations/d.xml names JPEGImages/c.jpg, and JPEGImages/d.jpg is called like it" in caplog.text


def test_an_annotation_that_only_names_an_image_comes_after_the_images_own(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, {"Annotations/0.xml": xml("c.jpg", ("dent", (1, 1, 2, 2)))})
    assert fault.startswith("Annotations/c.xml and Annotations/0.xml both describe JPEGImages/c.jpg")


def test_the_file_name_counts_where_no_image_is_named_like_the_annotation(tmp_path: Path) -> None:
    files = {**FILES, "Annotations/c.xml": None, "Annotations/0001.xml": xml("C.JPG", ("tag", (0, 0, 24, 24)))}
    root = plant(tmp_path / "voc", {name: text for name, text in files.items() if text is not None})
    assert said(photos(root)) == EXPECTED


@pytest.mark.parametrize("name", ["c.png", "c.jpg", "set/c.jpg", "C:\\set\\c.jpg"])
def test_one_of_two_images_of_a_name_is_told_by_the_file_name(tmp_path: Path, name: str) -> None:
    files = {**FILES, "JPEGImages/c.png": jpeg(7), "Annotations/c.xml": xml(name, ("tag", (0, 0, 24, 24)))}
    found = {photo.name: photo.label for photo in photos(plant(tmp_path / "voc", files))}
    other = "JPEGImages/c.jpg" if name == "c.png" else "JPEGImages/c.png"
    assert [found[f"JPEGImages/{name[-5:]}"], found[other]] == ["tag", None]


def test_difficult_objects_may_be_left_out(tmp_path: Path) -> None:
    files = {
        **FILES,
        "Annotations/c.xml": xml("c.jpg", ("tag", (0, 0, 24, 24)), extra="<difficult>1</difficult>"),
        "Annotations/d.xml": xml("d.jpg", ("tag", (0, 0, 24, 24)), extra="<difficult>0</difficult>"),
    }
    root = plant(tmp_path / "voc", files)
    assert len(photos(root)) == 6
    for mark in ("True", "true", " YES ", "1.0"):
        text = xml("c.jpg", ("tag", (0, 0, 24, 24)), extra=f"<Difficult>{mark}</Difficult>")
        plant(root, {"Annotations/c.xml": text})
        assert "JPEGImages/c.jpg" not in {photo.name for photo in photos(root, difficult=False)}
    assert [photo.name for photo in photos(root, difficult=False)][4:] == ["JPEGImages/d.jpg"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict.fromkeys([n for n in FILES if n.endswith("xml")]), "holds no annotations (*.xml): give the folder"),
        (
            {f"JPEGImages/{name}.jpg": None for name in "abcd"},
            "holds no images: put them beside the XML files, or into",
        ),
        (
            {f"Annotations/{name}.xml": "<annotations><image/></annotations>" for name in "abc"},
            "Annotations/a.xml holds <annotations> and not a VOC <annotation>: set kind to cvat.",
        ),
        (
            {
                "Annotations/c.xml": "<annotation><object><name>Stra\u00dfe</name></object></annotation>".encode(
                    "latin-1"
                )
            },
            "declares no encoding, and is not UTF-8 text: save it as UTF-8 (its byte 31 is 0xdf, which is",
        ),
    ],
)
def test_a_set_that_is_none_is_refused(tmp_path: Path, changes: dict[str, bytes | str | None], message: str) -> None:
    assert message in complaint(tmp_path, changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Annotations/e.xml": xml("a.jpg")}, "Annotations/a.xml and Annotations/e.xml both describe JPEGImages/a.jpg"),
        ({"JPEGImages/c.jpg": None}, "Annotations/c.xml describes the image 'c.jpg', which"),
        ({"Annotations/e.xml": xml(None)}, "Annotations/e.xml describes the image 'e', which"),
        ({"Annotations/e.xml": xml("../JPEGImages/e.jpg")}, "describes the image '../JPEGImages/e.jpg', which"),
        ({"Annotations/e.xml": xml("/etc/passwd")}, "describes the image '/etc/passwd', which"),
        ({"Annotations/d.xml": xml(None), "JPEGImages/d.png": b"x"}, "can mean JPEGImages/d.jpg and JPEGImages/d.png"),
        ({"Annotations/c.xml": "<annotation><object>"}, "Annotations/c.xml is no whole XML file (no element found"),
        ({"Annotations/c.xml": b""}, "Annotations/c.xml is no whole XML file"),
        ({"Annotations/c.xml": b"\xff\xd8\xff\xe0JFIF"}, "Annotations/c.xml is no whole XML file (not well-formed"),
        ({"Annotations/c.xml": '<?xml version="1.0" encoding="klingon"?><annotation/>'}, "Annotations/c.xml is no"),
        ({"Annotations/c.xml": "<html/>"}, "Annotations/c.xml holds <html> and not a VOC <annotation>: remove it"),
        (
            {"Annotations/c.xml": '<!DOCTYPE a [<!ENTITY b "bbbbbb">]><annotation>&b;</annotation>'},
            "Annotations/c.xml is not XML that is read here (EntitiesForbidden",
        ),
        (
            {"Annotations/c.xml": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>'},
            "Annotations/c.xml is not XML that is read here (EntitiesForbidden",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_a_fault(
    tmp_path: Path, changes: dict[str, bytes | str | None], message: str
) -> None:
    (fault,) = faults(tmp_path, changes)
    assert message in fault


@pytest.mark.parametrize("text", ["", "left", "nan", "inf", "-Infinity", "1e999", "1,5", "0x1f"])
def test_a_coordinate_that_is_no_number_is_a_fault(tmp_path: Path, text: str) -> None:
    (fault,) = faults(tmp_path, {"Annotations/c.xml": xml("c.jpg", ("t", (0, 0, 9, 9)), ("t", (0, 0, text, 9)))})
    assert fault.startswith(f"<xmax> of object 2 of Annotations/c.xml has {text!r} where a number belongs")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("<object><name>tag</name></object>", "object 1 of Annotations/c.xml has no <bndbox>: draw a box"),
        ("<object><bndbox><xmin>1</xmin></bndbox></object>", "object 1 of Annotations/c.xml has no <name>"),
        ("<object><name>tag</name><bndbox><xmin>1</xmin></bndbox></object>", "has no <ymin> in its <bndbox>: add it"),
        ("<object><name/><bndbox><xmin>1</xmin></bndbox></object>", "object 1 of Annotations/c.xml has a blank label"),
        ("<object><name>tag</name><polygon/></object>", "object 1 of Annotations/c.xml has no <bndbox>"),
        ("<object><name>tag</name><polygon><pt><x>1</x></pt></polygon></object>", "has no <y> in its <polygon>"),
        ("<object><name>tag</name><robndbox><cx>1</cx></robndbox></object>", "has no <cy> in its <robndbox>"),
    ],
)
def test_a_part_that_is_missing_is_a_fault(tmp_path: Path, part: str, message: str) -> None:
    text = f"<annotation><filename>c.jpg</filename>{part}</annotation>"
    (fault,) = faults(tmp_path, {"Annotations/c.xml": text})
    assert message in fault


@pytest.mark.parametrize(
    ("outline", "box"),
    [
        (
            "<robndbox><cx>12</cx><cy>10</cy><w>8</w><h>4</h><angle>1.5707963267948966</angle></robndbox>",
            (10, 6, 14, 14),
        ),
        ("<polygon><x1>3</x1><y1>9</y1><x2>7</x2><y2>2</y2><x3>5</x3><y3>4</y3></polygon>", (3, 2, 7, 9)),
        ("<polygon><pt><x>3</x><y>9</y></pt><pt><x>7</x><y>2</y></pt></polygon>", (3, 2, 7, 9)),
        (
            "<polygon><x1>0</x1><y1>0</y1></polygon><bndbox><xmin>3</xmin><ymin>2</ymin><xmax>7</xmax><ymax>9</ymax></bndbox>",
            (3, 2, 7, 9),
        ),
    ],
)
def test_other_outlines_give_the_box_around_them(tmp_path: Path, outline: str, box: tuple[float, ...]) -> None:
    text = f"<Annotation><Object><Name> tag </Name>{outline}</Object></Annotation>"
    found = photos(plant(tmp_path / "voc", {**FILES, "Annotations/c.xml": text}))
    assert [photo.box for photo in found if photo.name.endswith("c.jpg")] == [box]


def test_an_image_without_objects_is_one_in_which_somebody_saw_nothing(tmp_path: Path) -> None:
    found = {photo.name[11]: photo.kind for photo in photos(plant(tmp_path / "voc", FILES))}
    assert (found["b"], found["d"]) == ("empty", "unlabelled")


def test_the_stated_size_comes_with_the_box(tmp_path: Path) -> None:
    text = xml("c.jpg", ("tag", (0, 0, 9, 9)))
    sizes = {
        "<size><width> 24 </width><height>48</height></size>": StatedSize(24, 48, None, "24"),
        "<size><width>0</width><height>48</height></size>": None,
        "<size/>": None,
        "": None,
    }
    for written, size in sizes.items():
        changed = {**FILES, "Annotations/c.xml": text.replace("<size><width>24</width></size>", written)}
        found = photos(plant(tmp_path / str(len(written)) / "24", changed))
        assert [photo.stated_size for photo in found if photo.name.endswith("c.jpg")] == [size]


@pytest.mark.parametrize(
    ("image", "annotation"),
    [
        ("c.jpg", "c.xml"),
        ("photos/c.jpg", "photos/c.xml"),
        ("images/c.JPG", "annotations/c.XML"),
        ("images/x/c.jpg", "annotations/x/c.xml"),
        ("images/c.jpg", "annotations/xmls/c.xml"),
        ("photos/c.jpg", "labels/c.xml"),
    ],
)
def test_layouts_of_other_tools(tmp_path: Path, image: str, annotation: str) -> None:
    files: dict[str, bytes | str] = {image: jpeg(1), annotation: xml("old/c.jpg", ("tag", (0, 0, 9, 9)))}
    for path in (plant(tmp_path / "voc", files), pack(tmp_path / "a.zip", files, "set/")):
        ((name, *what),) = said(photos(path))
        assert (name.removeprefix("set/"), what) == (image, ["tag", (0, 0, 9, 9)])


def test_masks_of_the_official_layout_are_no_photos(tmp_path: Path) -> None:
    masks = {f"Segmentation{kind}/{name}.png": jpeg(9) for kind in ("Class", "Object") for name in "ab"}
    assert said(photos(plant(tmp_path / "voc", {**FILES, **masks}))) == EXPECTED


def test_two_years_are_one_data_set(tmp_path: Path) -> None:
    files = {f"VOC{year}/{name}": text for year in (2007, 2012) for name, text in FILES.items()}
    expected = [(f"VOC{year}/{name}", label, box) for year in (2007, 2012) for name, label, box in EXPECTED]
    assert said(photos(plant(tmp_path / "voc", files))) == expected


def test_an_annotation_too_large_is_a_fault(tmp_path: Path) -> None:
    root = plant(tmp_path / "voc", FILES)
    with (root / "Annotations/c.xml").open("ab") as file:
        file.truncate(33 << 20)
    (fault,) = [photo.fault for photo in photos(root) if photo.fault]
    assert fault.startswith("Annotations/c.xml in ")
    assert "has more than 33,554,432 bytes" in fault


def test_decomposed_file_names_are_found(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "JPEGImages/Mu\u0308nze.jpg": jpeg(1),
        "Annotations/1.xml": xml("M\u00fcnze.jpg", ("Mu\u0308nze", (0, 0, 9, 9))),
    }
    found = photos(pack(tmp_path / "a.zip", files))
    assert said(found) == [("JPEGImages/Mu\u0308nze.jpg", "M\u00fcnze", (0, 0, 9, 9))]


@pytest.mark.parametrize(
    "settings",
    [{"margin": -0.1}, {"margin": "nan"}, {"path": ""}, {"names": {}}, {"one-based": True}, {"kind": "coco"}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VocConfig.model_validate({"path": "x", **settings})


def test_the_fingerprint_follows_annotations_and_settings(tmp_path: Path) -> None:
    root = plant(tmp_path / "voc", FILES)
    prints = [VocSource(VocConfig(path=str(root), margin=margin)).fingerprint() for margin in (0, 0, 0.1)]
    plant(root, {"Annotations/b.xml": xml("b.jpg", ("tag", (0, 0, 9, 9)))})
    prints.append(VocSource(VocConfig(path=str(root))).fingerprint())
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
