"""The real SDK against a server of our own."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from discern.datasets.ingest.write_version import write_version
from discern.sources.base import UNSTATED, Photo, Provenance
from discern.sources.labelbox import LabelboxConfig, LabelboxSource, live
from tests.discern.pictures import jpeg
from tests.discern.sources.labelbox.said import box, label, radio
from tests.discern.sources.labelbox.server import FakeLabelbox


def source(**settings: Any) -> LabelboxSource:
    return LabelboxSource(LabelboxConfig(project="p1", **settings))


def read(**settings: Any) -> list[Photo]:
    return list(source(**settings).photos())


def test_only_what_passed_review_is_labelled(reviewed: FakeLabelbox) -> None:
    opened = source()
    assert opened.name == "labelbox-p1"
    assert len(opened) == 3
    photos = list(opened.photos())
    assert [(photo.name, photo.label) for photo in photos] == [("0.jpg", "round"), ("1.jpg", "oval"), ("2.jpg", None)]
    assert reviewed.fetched == [path for path in reviewed.fetched if path.startswith("/exports/")]
    assert [photo.load() for photo in photos] == [jpeg(0), jpeg(1), jpeg(2)]
    assert reviewed.leaked == []


def test_what_did_not_pass_review_need_not_travel(reviewed: FakeLabelbox) -> None:
    assert [photo.label for photo in read(unreviewed="ignore")] == ["round", "oval"]
    assert [photo.label for photo in read(unreviewed="ignore", statuses=["IN_REVIEW"])] == ["round"]


def test_boxes_are_things_and_an_image_is_fetched_once(labelbox: FakeLabelbox) -> None:
    labelbox.add_project("p1")
    said = label(box("Pill", 1, 2, 10, 11, radio("Kind", "ibu")), box("Pill", 12.5, 2, 8, 9, radio("Kind", "para")))
    labelbox.add_row("p1", jpeg(1), external_id="tray.jpg", status="DONE", labels=[said])
    photos = read(objects=True, object_question="kind", margin=0.1)
    assert [(photo.name, photo.label, photo.box, photo.margin) for photo in photos] == [
        ("tray.jpg", "ibu", (1, 2, 11, 13), 0.1),
        ("tray.jpg", "para", (12.5, 2, 20.5, 11), 0.1),
    ]
    assert [photo.load() for photo in photos] == [jpeg(1), jpeg(1)]
    assert sum(path.startswith("/images/") for path in labelbox.fetched) == 1


def test_a_label_says_who_gave_it_and_when(labelbox: FakeLabelbox, reviewed: FakeLabelbox) -> None:
    somebody = Provenance("somebody@example.org", "annotation", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert [photo.provenance for photo in read()] == [somebody, somebody, UNSTATED]
    labelbox.add_project("boxes")
    said = label(box("Pill", 1, 2, 10, 11), box("Pill", 12.5, 2, 8, 9))
    labelbox.add_row("boxes", jpeg(1), external_id="tray.jpg", status="DONE", labels=[said])
    photos = LabelboxSource(LabelboxConfig(project="boxes", objects=True)).photos()
    assert [photo.provenance for photo in photos] == [somebody, somebody]


def test_a_time_that_cannot_be_read_is_none(labelbox: FakeLabelbox) -> None:
    labelbox.add_project("p1")
    said = label(radio("Shape", "round"))
    said["label_details"] = {"created_by": "ann", "created_at": "soon"}
    labelbox.add_row("p1", jpeg(1), global_key="1.jpg", status="DONE", labels=[said])
    assert [photo.provenance for photo in read()] == [Provenance("ann", "annotation")]


def test_a_project_is_live_and_needs_a_key(reviewed: FakeLabelbox) -> None:
    assert source().is_live
    assert LabelboxConfig.service_key.variable == "LABELBOX_API_KEY"


def test_an_empty_project_has_no_photos(labelbox: FakeLabelbox) -> None:
    labelbox.add_project("p1")
    assert read() == []


def test_fingerprint_and_stamps_follow_rows_and_labels_but_not_signatures(reviewed: FakeLabelbox) -> None:
    first, again = source(), source()
    assert first.fingerprint() == again.fingerprint()
    assert [photo.stamp for photo in first.photos()] == [photo.stamp for photo in again.photos()]
    assert not any("ignature" in f"{photo.stamp}{photo.name}" for photo in first.photos())
    prints = {first.fingerprint(), source(margin=0.1).fingerprint()}
    rows = list(reviewed.projects["p1"].rows.values())
    rows[0].labels = [label(radio("Shape", "oval"))]
    prints.add(source().fingerprint())
    rows[1].updated_at = "2026-06-06T00:00:00.000+00:00"
    prints.add(source().fingerprint())
    rows[2].status = "DONE"
    prints.add(source().fingerprint())
    assert len(prints) == 5
    assert list(source().photos())[1].stamp == f"{rows[1].id} 2026-06-06T00:00:00.000+00:00"


def test_an_export_that_takes_its_time_is_waited_for(reviewed: FakeLabelbox) -> None:
    reviewed.export_looks = 4
    assert len(source()) == 3


def test_what_labellers_disagree_on_and_what_nobody_reviewed_is_reported(
    labelbox: FakeLabelbox, tmp_path: Path
) -> None:
    labelbox.add_project("p1")
    for number in range(48):
        said = label(radio("Shape", f"c{number % 8}"))
        labelbox.add_row("p1", jpeg(number), global_key=f"{number}.jpg", status="DONE", labels=[said])
    opinions = [label(radio("Shape", "c0")), label(radio("Shape", "c1"))]
    labelbox.add_row("p1", jpeg(100), global_key="100.jpg", status="DONE", labels=opinions)
    labelbox.add_row("p1", jpeg(101), global_key="101.jpg", status="IN_REVIEW", labels=opinions[:1])
    opened = source()
    version, rejected = write_version(opened.photos(), str(tmp_path / "shards"), source=opened.name)
    assert version.table.num_rows == 48
    assert set(version.table["source"].to_pylist()) == {f"labelbox-p1/{number}.jpg" for number in range(48)}
    found = sorted((one.name, one.kind) for one in rejected)
    assert found == [("100.jpg", "conflict"), ("100.jpg", "conflict"), ("101.jpg", "unlabelled")]


def test_nothing_is_sent_anywhere_else(reviewed: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, places = socket.socket.connect, set()

    def watched(self: socket.socket, place: Any) -> None:
        places.add(place)
        connect(self, place)

    monkeypatch.setattr(socket.socket, "connect", watched)
    for photo in read():
        photo.load()
    assert {f"http://{host}:{port}" for host, port in places} == {reviewed.url}


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, discern.sources.labelbox, discern.sources.labelbox.upload; print('labelbox' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_a_filter_names_no_more_keys_than_labelbox_takes() -> None:
    from labelbox.schema.export_filters import SEARCH_LIMIT_PER_EXPORT_V2

    assert live.MOST_KEYS <= SEARCH_LIMIT_PER_EXPORT_V2
