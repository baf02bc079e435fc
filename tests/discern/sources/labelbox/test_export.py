"""Rows of an export, as they are and as they should not be."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from discern.errors import DataError
from discern.sources.base import StatedSize
from discern.sources.labelbox.export import BoxLabel, ExportedAnswer, Picture, read_rows
from tests.discern.sources.labelbox.rows import Row, export_row
from tests.discern.sources.labelbox.said import box, label, mask, polygon, radio


def line(*labels: dict[str, Any], project: str = "p1", **facts: Any) -> str:
    """One line of an export."""
    row = Row("r1", "/images/r1.jpg", facts.pop("global_key", "one.jpg"), labels=list(labels), **facts)
    return json.dumps(export_row(row, project, "https://images.example.org/r1.jpg?sig=1"))


def read(*lines: str | bytes, project: str | None = None) -> list[Picture]:
    return list(read_rows(lines, "a.ndjson", project))


def test_a_row_keeps_what_labels_are_made_of() -> None:
    said = label(
        radio("Shape", "round", radio("Score line", "yes")), box("Pill", 1, 2, 3, 4, radio("Kind", "ibu")), id="l1"
    )
    (picture,) = read(line(said, external_id="old.jpg", status="DONE", winner="l1"))
    assert picture[:4] == ("r1", "one.jpg", "old.jpg", "https://images.example.org/r1.jpg?sig=1")
    assert picture.updated_at == "2026-01-02T03:04:05.000+00:00"
    assert picture.project == ("p1", "name of p1")
    assert (picture.status, picture.tells_status, picture.winner, picture.is_image) == ("DONE", True, "l1", True)
    (labelling,) = picture.labellings
    assert labelling.answers == (
        ExportedAnswer("Shape", "shape", "round", 0),
        ExportedAnswer("Score line", "score_line", "yes", 1),
    )
    assert labelling.boxes == (BoxLabel("Pill", (1, 2, 4, 6), (ExportedAnswer("Kind", "kind", "ibu", 0),)),)


def test_polygons_and_lines_give_the_box_around_them() -> None:
    line_drawn = {"name": "scratch", "annotation_kind": "ImagePolyline", "line": [{"x": 9, "y": 1}, {"x": 3, "y": 7}]}
    (picture,) = read(line(label(polygon("outline"), line_drawn)))
    assert [(one.name, one.box) for one in picture.labellings[0].boxes] == [
        ("outline", (1, 2, 4, 6)),
        ("scratch", (3, 1, 9, 7)),
    ]


def test_outlines_that_are_not_read_are_faults() -> None:
    point = {"name": "eye", "annotation_kind": "ImagePoint", "point": {"x": 1, "y": 2}}
    (picture,) = read(line(label(mask("cap"), point)))
    assert [(one.box, one.fault) for one in picture.labellings[0].boxes] == [
        (
            None,
            f"{name} in data row r1 is drawn as {kind} and has no outline that is read here: draw a box or a polygon, "
            "or remove it.",
        )
        for name, kind in (("cap", "ImageSegmentationMask"), ("eye", "ImagePoint"))
    ]


@pytest.mark.parametrize(
    ("size", "rotation", "stated"),
    [
        ((30, 20), "1", StatedSize(30, 20, 1)),
        ((30, 20), "6", StatedSize(30, 20, 6)),
        ((30, 20), None, StatedSize(30, 20)),
        ((30, 20), "90", StatedSize(30, 20)),
        ((0, 20), "6", None),
        ((None, None), "6", None),
    ],
)
def test_a_row_states_the_size_of_its_picture(size: Any, rotation: Any, stated: StatedSize | None) -> None:
    assert read(line(size=size, exif_rotation=rotation))[0].stated_size == stated


def test_other_questions_are_named() -> None:
    others: list[dict[str, Any]] = [
        {"name": "notes", "text_answer": {"content": "scratched"}},
        {"name": "flaws", "value": "flaws", "checklist_answers": [{"name": "chip", "classifications": []}]},
    ]
    (picture,) = read(line(label(*others)))
    assert [(one.answers, one.boxes) for one in picture.labellings] == [((), ())]
    assert picture.other_questions == ("notes", "flaws")


def test_skipped_labels_do_not_exist() -> None:
    assert read(line(label(radio("Shape", "round"), skipped=True)))[0].labellings == ()


@pytest.mark.parametrize(
    ("written", "status"),
    [("DONE", "DONE"), ("Done", "DONE"), ("InReview", "IN_REVIEW"), ("IN_REWORK", "IN_REWORK"), ("ToLabel", "TO_LABEL"),
     ("Archived", "Archived"), (None, None)],
)  # fmt: skip
def test_a_status_has_one_spelling(written: str | None, status: str | None) -> None:
    assert read(line(status=written))[0].status == status


def test_blank_lines_are_passed_over() -> None:
    assert len(read("", line(), " \r", line().encode())) == 2


def test_a_row_of_another_kind_is_no_image() -> None:
    assert not read(line(mime_type="video/mp4"))[0].is_image
    chat = json.loads(line())
    chat["data_row"]["row_data"] = {"type": "application/vnd.labelbox.conversational", "messages": []}
    del chat["media_attributes"]
    (picture,) = read(json.dumps(chat))
    assert (picture.is_image, picture.url) == (False, "")


def test_the_least_that_a_row_may_hold() -> None:
    (picture,) = read('{"data_row": {"id": "r1", "row_data": "https://x.org/1.jpg"}}')
    assert picture == Picture("r1", None, None, "https://x.org/1.jpg", None, True, None, None, False, None, ())


def test_a_project_is_chosen_by_id_or_name() -> None:
    row = json.loads(line(label(radio("Shape", "round"), id="l1")))
    row["projects"]["p2"] = json.loads(line(label(radio("Shape", "oval"), id="l2"), project="p2"))["projects"]["p2"]
    both = json.dumps(row)
    for project, chosen in (("p1", "l1"), ("p2", "l2"), ("name of p2", "l2")):
        assert read(both, line(project="p1"), project=project)[0].labellings[0].id == chosen
    with pytest.raises(
        DataError, match=r"a\.ndjson holds labels of several projects \(name of p1 \(p1\), name of p2 .*`project`"
    ):
        read(both)
    with pytest.raises(DataError, match="labels of several projects"):
        read(line(project="p1"), line(project="p2"))
    with pytest.raises(
        DataError, match=r"holds no labels of project 'p3': it has name of p1 \(p1\), name of p2 \(p2\)"
    ):
        read(both, project="p3")


def test_rows_that_nobody_labelled_name_no_project() -> None:
    row = json.loads(line())
    row["projects"] = {}
    assert read(json.dumps(row), project="p1")[0].project is None


def wrong(path: str, value: object) -> str:
    """A line with one value replaced; the path's parts are keys and indexes."""
    row = json.loads(line(label(radio("Shape", "round"), box("Pill", 1, 2, 3, 4))))
    here = row
    *parts, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in parts:
        here = here[part]
    here[last] = value
    return json.dumps(row)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"ID": "x", "DataRow ID": "y", "Labeled Data": "https://x.org"}', "data_row: Field required"),
        (b'{"data_row": {"id": "\xff"}}', "Invalid JSON"),
        (wrong("data_row/id", 7), r"data_row\.id"),
        (wrong("projects", []), "projects"),
        (
            wrong("projects/p1/labels/0/annotations/objects/0/bounding_box/top", "high"),
            r"objects\.0\.bounding_box\.top",
        ),
        (wrong("projects/p1/labels/0/annotations/objects/0/bounding_box/top", float("nan")), r"bounding_box\.top"),
        (wrong("projects/p1/labels/0/annotations/objects/0/bounding_box", {"top": 1}), r"bounding_box\.left"),
        (wrong("projects/p1/labels/0/annotations/classifications/0/radio_answer", {}), r"radio_answer\.name"),
    ],
)
def test_what_is_no_row_is_named_by_its_line(text: str | bytes, said: str) -> None:
    sentence = rf"^line 2 of a\.ndjson is not a row of a Labelbox export \(.*{said}.*format v2\.$"
    if said == "Invalid JSON":  # cut off: what came after it is missing too
        with pytest.raises(DataError, match=sentence):
            read(line(), text, line())
        return
    first, second, third = read(line(), text, line())
    assert (first.fault, third.fault) == (None, None)
    assert re.match(sentence, str(second.fault))
    assert second.id == "line 2 of a.ndjson"


def test_an_export_of_another_format_is_refused() -> None:
    with pytest.raises(DataError, match=r"^line 1 of a\.ndjson is not a row of a Labelbox export"):
        read('{"ID": "x"}', '{"ID": "y"}')


def test_a_row_nested_without_end_is_one_sentence() -> None:
    nested = '{"name": "q", "radio_answer": {"name": "a", "classifications": [' * 5000
    with pytest.raises(DataError, match=r"^line 1 of a\.ndjson is"):
        read('{"data_row": {"id": "r1"}, "projects": {"p": {"labels": [{"annotations": {"classifications": [' + nested)
    with pytest.raises(DataError, match=r"^line 1 of a\.ndjson is"):
        read('{"data_row": ' + "[" * 100_000)
