"""Which rows count, and which of several opinions."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from discern.errors import ConfigError, DataError
from discern.sources.labelbox import LabelboxConfig, LabelboxExportConfig
from discern.sources.labelbox.export import Picture, read_row
from discern.sources.labelbox.labels import Instances, instances
from edge_runtime.core.images import Box
from tests.discern.sources.labelbox.rows import Row, export_row
from tests.discern.sources.labelbox.said import box, label, mask, polygon, radio

Shown = list[list[tuple[str | None, Box | None]]]


def row(*labels: dict[str, Any], status: str | None = "DONE", details: bool = True, **facts: Any) -> dict[str, Any]:
    """One row of an export."""
    one = export_row(Row("r1", "", "one.jpg", labels=list(labels), status=status, **facts), "p1", "https://x.org/1.jpg")
    if not details:
        del one["projects"]["p1"]["project_details"]
    return one


def shown(*rows: dict[str, Any], **settings: Any) -> Shown:
    """What each picture shows that is not left out: label and box."""
    config = LabelboxConfig(project="p1", **settings)
    labelled = instances([read_row(row, "a row", "p1") for row in rows], config, "a.ndjson")
    return [[(instance.label, instance.box) for instance in shown] for _, shown in labelled]


def told(one: dict[str, Any], **settings: Any) -> tuple[Picture, Instances]:
    """One picture with all that is said of it."""
    ((picture, found),) = instances(
        [read_row(one, "a row", "p1")], LabelboxConfig(project="p1", **settings), "a.ndjson"
    )
    return picture, found


def said(answer: str, **facts: Any) -> dict[str, Any]:
    return label(radio("Shape", answer), **facts)


UNLABELLED = [(None, None)]


def test_the_only_question_need_not_be_named() -> None:
    assert shown(row(said("round")), row(said("oval"))) == [[("round", None)], [("oval", None)]]


@pytest.mark.parametrize("name", ["Maker", "maker"])
def test_a_question_is_named_by_name_or_value(name: str) -> None:
    assert shown(row(label(radio("Shape", "round"), radio("Maker", "Bolt"))), question=name) == [[("Bolt", None)]]


def test_a_nested_question_is_named_too() -> None:
    nested = row(label(radio("Shape", "round", radio("Kind", "ibu 200"))))
    assert shown(nested) == [[("round", None)]]
    assert shown(nested, question="kind") == [[("ibu 200", None)]]


def test_only_rows_of_the_statuses_asked_for_count() -> None:
    rows = [row(said("round"), status=status) for status in ("DONE", "IN_REVIEW", "IN_REWORK", "TO_LABEL", None)]
    assert shown(*rows) == [[("round", None)], UNLABELLED, UNLABELLED, UNLABELLED, UNLABELLED]
    assert shown(*rows, statuses=["DONE", "IN_REVIEW"])[:3] == [[("round", None)], [("round", None)], UNLABELLED]
    assert shown(*rows, statuses=[]) == [[("round", None)]] * 5
    assert shown(*rows, unreviewed="ignore") == [[("round", None)]]


def test_what_is_unlabelled_or_no_image_is_reported() -> None:
    rows = [row(), row(label()), row(said("round", skipped=True)), row(said("round"), mime_type="video/mp4")]
    assert shown(*rows) == [UNLABELLED] * 4
    assert shown(*rows, unreviewed="ignore") == [UNLABELLED], "what is no image is reported even so"


def test_an_export_that_does_not_tell_what_passed_review_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"does not tell which rows passed review: export it again with project details"
    ):
        shown(row(said("round"), details=False))
    assert shown(row(said("round"), details=False), statuses=[]) == [[("round", None)]]
    assert shown(row(details=False)) == [UNLABELLED]


def test_labellers_who_disagree_give_every_label() -> None:
    assert shown(row(said("round"), said("oval"), said("round"))) == [[("oval", None), ("round", None)]]
    assert shown(row(said("round"), said("round"))) == [[("round", None)]]


def test_the_label_that_the_workflow_chose_counts_alone() -> None:
    opinions = [said("round", id="l1", kind="Benchmark"), said("oval", id="l2")]
    assert shown(row(*opinions, winner="l2")) == [[("oval", None)]]
    assert shown(row(*opinions)) == [[("round", None)]], "then a benchmark does"
    assert shown(row(*opinions, winner="gone")) == [[("round", None)]]


def test_boxes_have_their_own_names_or_the_answers_to_their_question() -> None:
    one = row(label(box("Pill", 1, 2, 3, 4, radio("Kind", "ibu")), box("Cap", 5.5, 6, 7, 8)))
    assert shown(one, objects=True) == [[("Pill", (1, 2, 4, 6)), ("Cap", (5.5, 6, 12.5, 14))]]
    assert shown(one, objects=True, object_question="Kind") == [[("ibu", (1, 2, 4, 6)), (None, (5.5, 6, 12.5, 14))]]


def test_things_that_are_no_boxes_are_there_too() -> None:
    one = row(label(box("Pill", 1, 2, 3, 4), polygon("Cap"), mask("Tray")))
    assert shown(one, objects=True) == [[("Pill", (1, 2, 4, 6)), ("Cap", (1, 2, 4, 6)), ("Tray", None)]]
    (_, (*_, tray)) = told(one, objects=True)
    assert str(tray.fault).startswith("Tray in data row r1 is drawn as ImageSegmentationMask and has no outline")


def test_a_picture_in_which_nothing_was_drawn_is_empty() -> None:
    kinds = [
        (row(label()), True),
        (row(label(), label()), True),
        (row(), True),
        (row(label(skipped=True)), False),
        (row(label(), status="IN_REVIEW"), False),
        (row(status="TO_LABEL"), False),
        (row(label(), mime_type="video/mp4"), False),
    ]
    assert [told(one, objects=True)[1][0].empty for one, _ in kinds] == [empty for _, empty in kinds]
    assert not told(row(status="TO_LABEL"), objects=True, statuses=[])[1][0].empty
    assert not told(row(label()))[1][0].empty, "a question without an answer says nothing"


def test_a_picture_without_a_label_says_why() -> None:
    checked = {"name": "Flaws", "value": "flaws", "checklist_answers": [{"name": "chip"}]}
    assert str(told(row(label(checked)))[1][0].note).startswith(
        "data row r1 is answered by Flaws alone, which is no radio question, and a checklist or a text gives no one"
    )
    opinions = [label(box("a", 1, 1, 5, 5)), label(box("b", 1, 1, 5, 5))]
    assert str(told(row(*opinions), objects=True)[1][0].note).startswith(
        "data row r1 has labellers who disagree on what"
    )


def test_boxes_of_labellers_who_agree_on_what_is_there_are_taken_once() -> None:
    first, second = label(box("a", 1, 1, 5, 5), box("b", 9, 9, 5, 5)), label(box("b", 8, 9, 5, 5), box("a", 1, 2, 5, 5))
    assert shown(row(first, second), objects=True) == [[("a", (1, 1, 6, 6)), ("b", (9, 9, 14, 14))]]


def test_boxes_of_labellers_who_disagree_leave_the_picture_unlabelled() -> None:
    opinions = [label(box("a", 1, 1, 5, 5), id="l1"), label(box("b", 1, 1, 5, 5), id="l2")]
    assert shown(row(*opinions), objects=True) == [UNLABELLED]
    assert shown(row(*opinions, winner="l2"), objects=True) == [[("b", (1, 1, 6, 6))]]
    assert shown(row(label(box("a", 1, 1, 5, 5)), label()), objects=True) == [UNLABELLED]


def test_a_question_that_nobody_answered_is_refused_with_those_there_are() -> None:
    one = row(label(radio("Shape", "round", radio("Kind", "ibu")), box("Pill", 1, 2, 3, 4, radio("Side", "front"))))
    with pytest.raises(
        ConfigError, match=r"question 'Colour' is answered on no row of a\.ndjson: it has Kind, Shape\.$"
    ):
        shown(one, question="Colour")
    with pytest.raises(
        ConfigError, match=r"object_question 'Shape' is answered on no row of a\.ndjson: it has Side\.$"
    ):
        shown(one, objects=True, object_question="Shape")
    assert shown(row(), question="Colour") == [UNLABELLED], "as long as nobody answered anything, nobody can tell"


def test_one_of_several_questions_has_to_be_named() -> None:
    with pytest.raises(
        ConfigError, match=r"several radio questions \(Maker, Shape\): name the one that labels as `question`"
    ):
        shown(row(said("round")), row(label(radio("Maker", "Bolt"))))


def test_boxes_alone_are_not_taken_for_whole_pictures() -> None:
    with pytest.raises(ConfigError, match="has bounding boxes and no radio question: set objects to true"):
        shown(row(label(box("Pill", 1, 2, 3, 4))))


def test_an_unfit_label_is_named_by_its_row() -> None:
    with pytest.raises(DataError, match="data row r1 has a blank label"):
        shown(row(said("  ")))
    assert shown(row(said("e\u0301toile"))) == [[("\u00e9toile", None)]]


@pytest.mark.parametrize(
    "settings",
    [
        {"question": "Shape", "objects": True},
        {"object_question": "Kind"},
        {"statuses": ["REVIEWED"]},
        {"unreviewed": "drop"},
        {"margin": -0.1},
        {"api_key": "secret"},
        {"project": "p1/../p2"},
        {"project": ""},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LabelboxConfig(**{"project": "p1", **settings})
    if "project" not in settings:
        with pytest.raises(ValidationError):
            LabelboxExportConfig(**{"path": "x", **settings})
