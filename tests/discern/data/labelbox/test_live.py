"""The real SDK against a server of our own."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import google.api_core.retry
import pytest
from lbox import exceptions
from lbox.request_client import RequestClient

from discern.data.photos import Photo
from discern.data.sources.labelbox import LabelboxConfig, LabelboxSource, live
from discern.data.versions import write_version
from discern.errors import ConfigError, DataError, DiscernError
from tests.discern.data.labelbox.said import box, label, radio
from tests.discern.data.labelbox.server import KEY, FakeLabelbox
from tests.discern.data.pictures import jpeg


def source(**settings: Any) -> LabelboxSource:
    return LabelboxSource(LabelboxConfig(project="p1", **settings))


def read(**settings: Any) -> list[Photo]:
    return list(source(**settings).photos())


@pytest.fixture
def project(labelbox: FakeLabelbox) -> FakeLabelbox:
    """Three pictures: two that passed review, one that waits for it."""
    labelbox.add_project("p1")
    for number, (answer, status) in enumerate([("round", "DONE"), ("oval", "DONE"), ("round", "IN_REVIEW")]):
        said = label(radio("Shape", answer))
        labelbox.add_row("p1", jpeg(number), global_key=f"{number}.jpg", status=status, labels=[said])
    return labelbox


def test_only_what_passed_review_is_labelled(project: FakeLabelbox) -> None:
    opened = source()
    assert opened.name == "labelbox-p1"
    assert len(opened) == 3
    photos = list(opened.photos())
    assert [(photo.name, photo.label) for photo in photos] == [("0.jpg", "round"), ("1.jpg", "oval"), ("2.jpg", None)]
    assert project.fetched == [path for path in project.fetched if path.startswith("/exports/")]
    assert [photo.load() for photo in photos] == [jpeg(0), jpeg(1), jpeg(2)]
    assert project.leaked == []


def test_what_did_not_pass_review_need_not_travel(project: FakeLabelbox) -> None:
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


def test_an_empty_project_has_no_photos(labelbox: FakeLabelbox) -> None:
    labelbox.add_project("p1")
    assert read() == []


def test_fingerprint_and_stamps_follow_rows_and_labels_but_not_signatures(project: FakeLabelbox) -> None:
    first, again = source(), source()
    assert first.fingerprint() == again.fingerprint()
    assert [photo.stamp for photo in first.photos()] == [photo.stamp for photo in again.photos()]
    assert not any("ignature" in f"{photo.stamp}{photo.name}" for photo in first.photos())
    prints = {first.fingerprint(), source(margin=0.1).fingerprint()}
    rows = list(project.projects["p1"].rows.values())
    rows[0].labels = [label(radio("Shape", "oval"))]
    prints.add(source().fingerprint())
    rows[1].updated_at = "2026-06-06T00:00:00.000+00:00"
    prints.add(source().fingerprint())
    rows[2].status = "DONE"
    prints.add(source().fingerprint())
    assert len(prints) == 5
    assert list(source().photos())[1].stamp == f"{rows[1].id} 2026-06-06T00:00:00.000+00:00"


def test_an_export_that_takes_its_time_is_waited_for(project: FakeLabelbox) -> None:
    project.export_looks = 4
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


# What goes wrong, and what is said of it.


def wrong_key(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_API_KEY", f"{KEY}-old")


def no_key(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELBOX_API_KEY")


def broken_key(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_API_KEY", f"{KEY}\nX-Evil: 1")


def unsafe_address(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_URL", "http://labelbox.example.org")


def no_project(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.projects.clear()


def nobody_there(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_URL", "http://127.0.0.1:9")


def limited(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.rate_limited = 1000


def down(server: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    server.down = 1000
    short = google.api_core.retry.Retry(
        predicate=google.api_core.retry.if_exception_type(exceptions.InternalServerError), initial=0.01, timeout=0.05
    )  # the SDK's own asks for two minutes
    monkeypatch.setattr(RequestClient, "execute", short(RequestClient.execute.__wrapped__))


def failed(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.export_status = "FAILED"


def slow(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.export_looks = 1000


def incomplete(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.export_errors = 2


def cut(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.cut_exports = 10


def broken_off(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.break_at = {"exportDataRowsInProject": "after"}


FAULTS = [
    (wrong_key, ConfigError, "Labelbox refused the API key when exporting project p1: make a new one"),
    (
        no_key,
        ConfigError,
        "needs an API key: run `zenml secret create labelbox --api_key=...`, or set LABELBOX_API_KEY",
    ),
    (broken_key, ConfigError, "LABELBOX_API_KEY holds blanks or signs"),
    (unsafe_address, ConfigError, r"LABELBOX_URL is 'http://labelbox\.example\.org'.* only sent over https"),
    (no_project, ConfigError, "did not find what it takes for exporting project p1: check the id"),
    (nobody_there, DataError, r"cannot be reached when exporting project p1 \(NetworkError\): check the network"),
    (limited, DataError, "rate limit stopped exporting project p1, for 0 s on end: run again in a few minutes"),
    (down, DataError, r"cannot be reached when exporting project p1 \(RetryError\)"),
    (failed, DataError, r"could not make the export of project p1 \(FAILED\): run again"),
    (slow, DataError, "took longer than 1 s to export project p1: raise timeout"),
    (incomplete, DataError, "could not export 2 rows of project p1: run again, or look at them there"),
    (cut, DataError, "answer was cut off when exporting project p1: run again"),
    (broken_off, DataError, r"cannot be reached when exporting project p1 \(NetworkError\)"),
]


@pytest.mark.parametrize(("fault", "kind", "sentence"), FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_every_fault_is_one_sentence_without_the_key(
    project: FakeLabelbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    fault: Any,
    kind: type[DiscernError],
    sentence: str,
) -> None:
    fault(project, monkeypatch)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(kind, match=sentence) as caught:
        source(timeout=1)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    output = capfd.readouterr()
    assert KEY not in f"{caught.value!r}{caplog.text}{output.out}{output.err}"


def test_a_key_that_the_server_repeats_is_hidden(project: FakeLabelbox) -> None:
    with pytest.raises(ConfigError, match=r"role at Labelbox is too low .*not a member.*\[the key\]") as caught:
        LabelboxSource(LabelboxConfig(project="forbidden"))
    assert KEY not in str(caught.value)


def test_the_key_is_in_no_representation(project: FakeLabelbox) -> None:
    from discern.data.sources.labelbox.sdk import connect

    client = connect()
    assert KEY not in f"{client!r}{client}{source()!r}{source().config!r}{vars(source())}"


def test_a_rate_limit_that_passes_is_waited_for(project: FakeLabelbox) -> None:
    project.rate_limited = 2
    assert len(source()) == 3


def test_what_only_reads_is_asked_again_when_the_connection_breaks(
    project: FakeLabelbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from discern.data.sources.labelbox import sdk

    monkeypatch.setattr(sdk, "BREAK_WAITS", (0.01,))
    project.break_at = {"GetProject": "before", "GetUserCreatedTasks": "after", "GetExportMetadataHeader": "before"}
    assert len(source()) == 3


def test_nothing_is_sent_anywhere_else(project: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, places = socket.socket.connect, set()

    def watched(self: socket.socket, place: Any) -> None:
        places.add(place)
        connect(self, place)

    monkeypatch.setattr(socket.socket, "connect", watched)
    for photo in read():
        photo.load()
    assert {f"http://{host}:{port}" for host, port in places} == {project.url}


def test_an_expired_image_is_one_sentence(project: FakeLabelbox) -> None:
    photos = read()
    project.images_expired = True
    with pytest.raises(DataError, match=r"^the image URL of 0\.jpg expired: export again\.$"):
        photos[0].load()


def test_a_question_nobody_was_asked_is_one_sentence(project: FakeLabelbox) -> None:
    with pytest.raises(
        ConfigError, match=r"question 'Colour' is answered on no row of Labelbox project p1: it has Shape"
    ):
        source(question="Colour")


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, discern.data.sources.labelbox, discern.data.labelling; print('labelbox' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_a_filter_names_no_more_keys_than_labelbox_takes() -> None:
    from labelbox.schema.export_filters import SEARCH_LIMIT_PER_EXPORT_V2

    assert live.MOST_KEYS <= SEARCH_LIMIT_PER_EXPORT_V2
