"""Sending photos to be labelled: whatever happens on the way, the same state in the end."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from discern.errors import ConfigError, DataError
from discern.sources.base import Photo
from discern.sources.labelbox import upload
from discern.sources.labelbox.upload import Sent, send
from tests.discern.pictures import jpeg, saved
from tests.discern.sources.labelbox.rows import Row
from tests.discern.sources.labelbox.server import KEY, FakeLabelbox


def photos(numbers: Iterable[int]) -> Iterator[Photo]:
    for number in numbers:
        yield Photo(f"tray/{number}.jpg", None, jpeg(number))


def key(number: int) -> str:
    return "discern-" + hashlib.sha256(jpeg(number)).hexdigest()


@pytest.fixture
def project(labelbox: FakeLabelbox) -> FakeLabelbox:
    labelbox.add_project("p1")
    return labelbox


def finished(count: int) -> tuple[object, ...]:
    """The state once so many photos were sent as batch b1."""
    pictures = sorted((key(number), f"tray/{number}.jpg") for number in range(count))
    return ["discern"], pictures, {("p1", "b1"): [name for name, _ in pictures]}


def test_photos_become_rows_and_a_batch(project: FakeLabelbox) -> None:
    assert send(photos(range(3)), "p1", "b1") == Sent(pictures=3, uploaded=3, queued=3, batch="created")
    assert project.state() == finished(3)
    assert sorted(project.files[row.image] for row in project.rows.values()) == sorted(jpeg(i) for i in range(3))


def test_sending_again_changes_nothing(project: FakeLabelbox) -> None:
    send(photos(range(3)), "p1", "b1")
    files = [path for path in project.files if path.startswith("/uploads/")]
    assert send(photos(range(3)), "p1", "b1") == Sent(pictures=3, uploaded=0, queued=0, batch="unchanged")
    assert project.state() == finished(3)
    assert [path for path in project.files if path.startswith("/uploads/")] == files


def test_a_picture_is_known_by_its_content(project: FakeLabelbox) -> None:
    twice = [Photo("a.jpg", "round", jpeg(0)), Photo("copy of a.jpg", None, jpeg(0))]
    assert send(twice, "p1", "b1") == Sent(pictures=1, uploaded=1, queued=1, batch="created")
    assert [(row.global_key, row.external_id, row.labels) for row in project.rows.values()] == [(key(0), "a.jpg", [])]


def test_what_the_project_has_is_not_queued_twice(project: FakeLabelbox) -> None:
    send(photos(range(3)), "p1", "b1")
    assert send(photos(range(5)), "p1", "b2") == Sent(pictures=5, uploaded=2, queued=2, batch="created")
    assert send(photos(range(2)), "p1", "b3") == Sent(pictures=2, uploaded=0, queued=0, batch="not needed")
    batches = project.projects["p1"].batches
    assert {name: len(rows) for name, rows in batches.items()} == {"b1": 3, "b2": 2}


def test_what_another_project_has_is_queued_without_an_upload(project: FakeLabelbox) -> None:
    project.add_project("p2")
    send(photos(range(2)), "p1", "b1")
    assert send(photos(range(2)), "p2", "b1") == Sent(pictures=2, uploaded=0, queued=2, batch="created")


def test_a_name_that_other_pictures_have_is_refused_before_anything_is_sent(project: FakeLabelbox) -> None:
    send(photos(range(2)), "p1", "b1")
    before = project.state(), len(project.files)
    with pytest.raises(
        ConfigError, match=r"project p1 has a batch 'b1' of other pictures \(2\): choose another name\.$"
    ):
        send(photos(range(4)), "p1", "b1")
    assert project.state() == before[0]
    assert sum(path.startswith("/uploads/") for path in project.files) == 2 + 2  # with a descriptor and a manifest


@pytest.mark.parametrize("many", [False, True], ids=["at once", "in two steps"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_wherever_it_breaks_off_sending_again_ends_in_the_same_state(
    project: FakeLabelbox, monkeypatch: pytest.MonkeyPatch, moment: Literal["before", "after"], many: bool
) -> None:
    if many:  # large batches are created empty and then filled: here small ones are
        monkeypatch.setattr("labelbox.schema.project.MAX_SYNC_BATCH_ROW_COUNT", 1)
    send(photos(range(2)), "p1", "b1")
    operations = list(dict.fromkeys(project.operations))
    assert {"CreateDataset", "UploadFile", "UpsertDataRows"} <= set(operations)
    assert ("createEmptyBatch" if many else "createBatchV2") in operations
    for operation in operations:
        project.forget()
        project.add_project("p1")
        project.break_at = {operation: moment}
        with pytest.raises(DataError, match=r"cannot be reached when (sending batch 'b1' to|exporting) project p1"):
            send(photos(range(2)), "p1", "b1")
        send(photos(range(2)), "p1", "b1")
        assert project.state() == finished(2), operation


def test_what_the_sdk_did_twice_does_no_harm(project: FakeLabelbox) -> None:
    project.break_at = {"CreateDataset": "502", "UpsertDataRows": "502", "createBatchV2": "502"}
    with pytest.raises(DataError, match=r"refused sending batch 'b1' to project p1 \(Batch b1 already exists"):
        send(photos(range(2)), "p1", "b1")
    assert send(photos(range(2)), "p1", "b1").batch == "unchanged"
    datasets, *rest = project.state()
    assert datasets == ["discern", "discern"], "the second stays empty, and the first is found from now on"
    assert rest == list(finished(2)[1:])
    send(photos(range(3)), "p1", "b2")
    assert len(project.datasets) == 2


def test_only_what_labelbox_has_is_looked_for_in_the_project(project: FakeLabelbox) -> None:
    send(photos(range(3)), "p1", "b1")
    assert "exportDataRowsInProject" not in project.operations
    send(photos(range(3)), "p1", "b1")
    assert project.operations.count("exportDataRowsInProject") == 1


def test_rows_that_another_run_made_meanwhile_are_no_fault(project: FakeLabelbox) -> None:
    row = Row("r1", "/images/1.jpg", key(1), "tray/1.jpg")
    project.meanwhile["UpsertDataRows"] = lambda: project.rows.update(r1=row)
    assert send(photos(range(3)), "p1", "b1") == Sent(pictures=3, uploaded=3, queued=3, batch="created")
    assert project.state() == finished(3)


def test_pictures_that_the_project_did_not_take_are_counted(project: FakeLabelbox) -> None:
    def queue() -> None:
        project.projects["p1"].rows.update((id_, row) for id_, row in project.rows.items() if row.global_key == key(1))

    project.meanwhile["createBatchV2"] = queue
    with pytest.raises(DataError, match=r"project p1 did not take 1 of 3 pictures: look at its batch 'b1'\.$"):
        send(photos(range(3)), "p1", "b1")


def test_pictures_that_labelbox_did_not_take_are_counted(project: FakeLabelbox) -> None:
    project.refused_keys = {key(0)}
    with pytest.raises(
        DataError, match=r"Labelbox did not take 1 of 3 pictures \(Asset could not be read\): send again"
    ):
        send(photos(range(3)), "p1", "b1")
    assert project.projects["p1"].batches == {}


def test_pictures_that_the_key_may_not_see_are_named(project: FakeLabelbox) -> None:
    project.denied_keys = {key(0)}
    with pytest.raises(ConfigError, match=r"the API key may not see picture discern-[0-9a-f]{64}: ask for its dataset"):
        send(photos(range(3)), "p1", "b1")


def test_a_file_that_is_no_picture_is_named_before_anything_is_sent(project: FakeLabelbox) -> None:
    bad = Photo("tray/note.jpg", None, b"buy milk")
    with pytest.raises(DataError, match=r"^tray/note\.jpg is not a picture in a format read here.*\nnothing was sent"):
        send([*photos(range(2)), bad], "p1", "b1")
    assert project.state() == ([], [], {})


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_all_that_ingest_would_refuse_is_told_before_anything_is_sent(project: FakeLabelbox) -> None:
    image = Image.new("RGB", (40, 40), (9, 99, 200))
    refused = {
        "inks.jpg": (encoded(image.convert("CMYK"), "JPEG"), "is a CMYK picture"),
        "deep.png": (encoded(Image.fromarray(np.zeros((40, 40), np.uint16)), "PNG"), "has more than 8 bits"),
        "moves.gif": (encoded(image, "GIF", save_all=True, append_images=[Image.new("RGB", (40, 40))]), "is animated"),
        "cut.jpg": (jpeg(4)[:-200], "is damaged"),
        "tiny.png": (encoded(image.resize((5, 5)), "PNG"), "has only 5 x 5 pixels"),
        "bits.ppm": (encoded(image, "PPM"), "is PPM, which browsers do not show"),
    }
    with pytest.raises(DataError) as caught:
        send([*photos(range(2)), *(Photo(name, None, data) for name, (data, _) in refused.items())], "p1", "b1")
    *sentences, last = str(caught.value).splitlines()
    for sentence, (name, (_, reason)) in zip(sentences, refused.items(), strict=True):
        assert sentence.startswith(f"{name} {reason}")
    assert last == "nothing was sent: mend or remove these."
    assert project.state() == ([], [], {})


def test_a_phones_jpeg_of_several_views_is_sent_as_jpeg(project: FakeLabelbox) -> None:
    views = encoded(Image.new("RGB", (40, 40)), "MPO", save_all=True, append_images=[Image.new("RGB", (40, 40))])
    send([Photo("IMG_1.jpg", None, views)], "p1", "b1")
    assert project.uploads[0] == (f"discern-{hashlib.sha256(views).hexdigest()}.jpeg", "image/jpeg")


def test_nothing_to_send_is_one_sentence(project: FakeLabelbox) -> None:
    with pytest.raises(DataError, match="there are no photos to send"):
        send([], "p1", "b1")


def test_too_many_for_a_batch_is_one_sentence(project: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MOST_PICTURES", 2)
    with pytest.raises(DataError, match="a batch holds at most 2 pictures and these are 3: send parts"):
        send(photos(range(3)), "p1", "b1")


def test_many_go_in_parts(project: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "AT_ONCE", 3)
    monkeypatch.setattr(upload, "MOST_KEYS", 4)
    send(photos(range(10)), "p1", "b1")
    assert project.state() == finished(10)
    assert project.operations.count("UpsertDataRows") == 4
    assert send(photos(range(10)), "p1", "b1").batch == "unchanged"


def test_a_photo_that_changes_meanwhile_is_named(project: FakeLabelbox) -> None:
    versions = iter([jpeg(1), jpeg(2)])
    with pytest.raises(DataError, match=r"a\.jpg changed while it was sent: send again"):
        send([Photo("a.jpg", None, lambda: next(versions))], "p1", "b1")
    assert project.projects["p1"].batches == {}


def test_an_unknown_project_is_found_out_before_anything_is_read(project: FakeLabelbox) -> None:
    def never() -> bytes:
        raise AssertionError("read")

    with pytest.raises(ConfigError, match="did not find what it takes for sending batch 'b1' to project p9"):
        send([Photo("a.jpg", None, never)], "p9", "b1")


@pytest.mark.parametrize("server", ["rate_limited", "break"])
def test_the_key_is_in_no_message(project: FakeLabelbox, server: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    if server == "break":
        project.break_at = {"UpsertDataRows": "before"}
    else:
        project.rate_limited = 1000
    with pytest.raises(DataError) as caught:
        send(photos(range(2)), "p1", "b1")
    assert KEY not in f"{caught.value!r}{caplog.text}"


def test_the_oldest_of_datasets_with_one_name_is_taken(project: FakeLabelbox) -> None:
    project.datasets |= {"d2": "discern", "d1": "discern", "d0": "other"}
    send(photos(range(1)), "p1", "b1")
    assert sorted(project.datasets.values()) == ["discern", "discern", "other"]


def test_formats_keep_their_kind(project: FakeLabelbox) -> None:
    send([Photo("a", None, saved("RGB", "PNG")), Photo("b.dat", None, saved("RGB", "WEBP"))], "p1", "b1")
    assert len(project.rows) == 2
