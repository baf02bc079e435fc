"""Label Studio's JSON and JSON-MIN."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from discern.sources.base import Provenance, StatedSize
from discern.sources.label_studio.source import LabelStudioConfig
from tests.discern.pictures import jpeg
from tests.discern.sources.layouts import complaint_of, faults_of, listed, pack, plant, said

Json = dict[str, Any]


def rectangle(label: str, x: float, y: float, width: float, height: float, **more: Any) -> Json:
    """A region of a picture of 200 x 100 pixels, in percent."""
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": [label]}
    return region("rectanglelabels", **{**value, **more})


def region(kind: str, **value: Any) -> Json:
    return {
        "id": f"r{len(value)}{value}",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": value,
    }


def task(number: int, image: str, *opinions: Json | list[Json]) -> Json:
    """A task; an opinion is a whole annotation, or its result."""
    annotations = [opinion if isinstance(opinion, dict) else {"result": opinion} for opinion in opinions]
    return {"id": number, "data": {"image": image}, "annotations": annotations, "predictions": [{"result": []}]}


def choice(label: str) -> Json:
    return {"id": "c", "type": "choices", "from_name": "kind", "to_name": "image", "value": {"choices": [label]}}


TASKS = [
    task(1, "/data/upload/3/0b1c2d3e-a.jpg", [rectangle("tag", 10, 20, 30, 40), rectangle("dent", 10, 20, 5, 5)]),
    task(2, "/data/local-files/?d=photos%2Fb.jpg", []),
    task(3, "s3://bucket/photos/c.jpg", [choice("scratch")]),
    task(4, "https://host/photos/d.jpg?signature=x"),
]
FILES: dict[str, bytes | str] = {
    **{f"photos/{name}.jpg": jpeg(i) for i, name in enumerate("abcd")},
    "project-1-at-2026.json": json.dumps(TASKS),
    "notes.json": '{"a": 1}',
}
EXPECTED = [
    ("photos/a.jpg", "dent", (20, 20, 30, 25)),
    ("photos/a.jpg", "tag", (20, 20, 80, 60)),
    ("photos/b.jpg", None, None),
    ("photos/c.jpg", "scratch", None),
    ("photos/d.jpg", None, None),
]
photos = partial(listed, "label_studio")
complaint = partial(complaint_of, "label_studio", FILES)
faults = partial(faults_of, "label_studio", FILES)


def of_tasks(root: Path, *tasks: Json) -> list[tuple[str, str | None, Any]]:
    return said(photos(plant(root / "ls", {**FILES, "project-1-at-2026.json": json.dumps(tasks)})))


@pytest.mark.parametrize("top", ["", "set/"])
def test_a_folder_and_an_archive_hold_the_same(tmp_path: Path, top: str) -> None:
    found = photos(pack(tmp_path / "a.zip", FILES, top), margin=0.5)
    assert said(found) == [(top + name, label, box) for name, label, box in EXPECTED]
    assert [photo.margin for photo in found] == [0.5, 0.5, 0, 0, 0]
    assert [photo.kind for photo in found] == ["instance", "instance", "empty", "instance", "unlabelled"]
    assert found[0].stated_size == StatedSize(200, 100, None, "a")
    assert said(photos(plant(tmp_path / "ls", FILES))) == EXPECTED


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (rectangle("tag", 50, 40, 10, 10, rotation=90), (90, 40, 100, 60)),
        (region("polygonlabels", points=[[10, 20], [20, 10], [15, 50]], polygonlabels=["tag"]), (20, 10, 40, 50)),
        (region("ellipselabels", x=50, y=40, radiusX=10, radiusY=10, ellipselabels=["tag"]), (80, 30, 120, 50)),
    ],
)
def test_every_shape_gives_the_box_around_it(tmp_path: Path, shape: Json, box: tuple[float, ...]) -> None:
    assert of_tasks(tmp_path, task(1, "a.jpg", [shape])) == [("photos/a.jpg", "tag", box)]


def test_a_shape_and_its_label_may_be_two_results(tmp_path: Path) -> None:
    shape = {**region("rectangle", x=10, y=20, width=30, height=40), "id": "r1"}
    named = {**region("labels", x=10, y=20, width=30, height=40, labels=["tag"]), "id": "r1"}
    told = {**choice("blurred"), "id": "r1"}
    assert of_tasks(tmp_path, task(1, "a.jpg", [shape, named, told])) == [("photos/a.jpg", "tag", (20, 20, 80, 60))]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            region("brushlabels", rle=[1, 2], brushlabels=["tag"]),
            "is a brushlabels without an outline that is read here",
        ),
        (region("keypointlabels", x=1, y=2, width=1, keypointlabels=["tag"]), "is a keypointlabels without an outline"),
        (region("rectanglelabels", x=1, y=2, width=None, height=3, rectanglelabels=["tag"]), "without an outline"),
        (rectangle("", 1, 2, 3, 4), "has a blank label: give it a name"),
        ({**rectangle("tag", 1, 2, 3, 4), "original_width": 0}, "does not state the size of its picture"),
        (
            {**rectangle("tag", 1, 2, 3, 4), "image_rotation": 90},
            "was drawn on a picture turned by 90 degrees in Label",
        ),
    ],
)
def test_a_region_that_makes_no_sense_is_a_fault(tmp_path: Path, shape: Json, message: str) -> None:
    tasks = [task(1, "a.jpg", [rectangle("tag", 1, 2, 3, 4)]), task(7, "b.jpg", [shape])]
    (fault,) = faults(tmp_path, {"project-1-at-2026.json": json.dumps(tasks)})
    assert message in fault
    assert "of task 7 of project-1-at-2026.json" in fault


def test_tasks_that_make_no_sense_are_faults(tmp_path: Path) -> None:
    broken = [3, {"data": {"text": "hello"}}, task(9, "x.jpg", [])]
    assert faults(tmp_path, {"project-1-at-2026.json": json.dumps([*TASKS, *broken])}) == [
        "entry 5 of project-1-at-2026.json is no task of Label Studio: export the project as JSON.",
        "entry 6 of project-1-at-2026.json has no image: remove it, or export the project of the images.",
        f"task 9 of project-1-at-2026.json names 'x.jpg', which {tmp_path / 'label_studio'} does not hold: put it "
        "beside the JSON, or remove the task.",
    ]


def test_annotators_who_agree_count_once_and_the_ground_truth_alone(tmp_path: Path) -> None:
    one, other = rectangle("tag", 10, 20, 30, 40), rectangle("tag", 11, 20, 30, 40)
    dent = rectangle("dent", 10, 20, 30, 40)
    assert of_tasks(tmp_path, task(1, "a.jpg", [one], [other])) == [("photos/a.jpg", "tag", (20, 20, 80, 60))]
    assert of_tasks(tmp_path, task(1, "a.jpg", [one], [dent])) == [("photos/a.jpg", None, None)]
    truth = {"result": [dent], "ground_truth": True}
    assert of_tasks(tmp_path, task(1, "a.jpg", [one], truth)) == [("photos/a.jpg", "dent", (20, 20, 80, 60))]
    skipped = {"result": [], "was_cancelled": True}
    assert of_tasks(tmp_path, task(1, "a.jpg", skipped, [one])) == [("photos/a.jpg", "tag", (20, 20, 80, 60))]
    chosen = [("photos/a.jpg", "dent", None), ("photos/a.jpg", "tag", None)]
    assert of_tasks(tmp_path, task(1, "a.jpg", [choice("tag")], [choice("dent")], [choice("tag")])) == chosen


def test_who_labelled_is_kept(tmp_path: Path) -> None:
    by = {"result": [choice("tag")], "completed_by": {"email": "ann@example.org"}, "created_at": "2026-01-02T03:04:05Z"}
    ((provenance),) = [
        photo.provenance
        for photo in photos(
            plant(tmp_path / "ls", {**FILES, "project-1-at-2026.json": json.dumps([task(1, "a.jpg", by)])})
        )
    ]
    assert (provenance.labelled_by, provenance.label_method) == ("ann@example.org", "annotation")
    assert str(provenance.labelled_at) == "2026-01-02 03:04:05+00:00"


def test_the_short_format_is_read_too(tmp_path: Path) -> None:
    shape = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["tag"]}
    size = {"original_width": 200, "original_height": 100}
    common = {"annotator": 1, "annotation_id": 2, "created_at": "2026-01-02T03:04:05Z"}
    tasks = [
        {"id": 1, "image": "/data/upload/1/0b1c2d3e-a.jpg", "label": [{**shape, **size}], **common},
        {"id": 2, "image": "b.jpg", **common},
        {"id": 3, "image": "c.jpg", "choice": "scratch", **common},
    ]
    found = photos(plant(tmp_path / "ls", {**FILES, "project-1-at-2026.json": json.dumps(tasks)}))
    assert said(found) == [EXPECTED[1], *EXPECTED[2:4]]
    assert [photo.kind for photo in found] == ["instance", "empty", "instance"]
    assert found[0].provenance == Provenance("1", "annotation")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"project-1-at-2026.json": None}, "holds no export of Label Studio (it has notes.json): export the project"),
        ({"project-1-at-2026.json": "[{"}, "project-1-at-2026.json is no whole JSON file"),
        ({f"photos/{name}.jpg": None for name in "abcd"}, "holds no images: put them beside the JSON"),
    ],
)
def test_a_set_that_is_none_is_refused(tmp_path: Path, changes: dict[str, bytes | str | None], message: str) -> None:
    assert message in complaint(tmp_path, changes)


def test_the_export_may_be_named(tmp_path: Path) -> None:
    root = plant(tmp_path / "ls", {**FILES, "old.json": json.dumps([task(1, "b.jpg", [choice("tag")])])})
    assert said(photos(root, export="project-1-at-2026.json")) == EXPECTED
    assert "holds no file 'b.json'" in complaint(tmp_path, {}, export="b.json")


@pytest.mark.parametrize("settings", [{"margin": -1}, {"path": ""}, {"export": ""}, {"splits": {}}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LabelStudioConfig.model_validate({"path": "x", **settings})
