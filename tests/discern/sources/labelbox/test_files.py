"""Export files, in folders and archives, with and without their images."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from discern.errors import DataError
from discern.sources.base import Photo, StatedSize
from discern.sources.labelbox import LabelboxExportConfig, LabelboxExportSource, files
from tests.discern.pictures import jpeg
from tests.discern.sources.labelbox.rows import Row, export_row
from tests.discern.sources.labelbox.said import box, label, mask, radio
from tests.discern.sources.labelbox.server import FakeLabelbox

ADDRESS = "https://images.example.org/{}.jpg?sig=1"


def row(number: int, answer: str = "round", url: str = ADDRESS, **facts: Any) -> dict[str, Any]:
    """A row that passed review."""
    facts = {"status": "DONE", "labels": [label(radio("Shape", answer))], "global_key": f"{number}.jpg"} | facts
    return export_row(Row(f"r{number}", "", **facts), "p1", url.format(number))


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    return path


def put(path: Path, number: int) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(number))
    return jpeg(number)


def source(path: Path, **settings: Any) -> LabelboxExportSource:
    return LabelboxExportSource(LabelboxExportConfig(path=str(path), **settings))


def read(path: Path, **settings: Any) -> list[Photo]:
    return list(source(path, **settings).photos())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export of three rows, and the images of all."""
    write(tmp_path / "pills/export.ndjson", row(2, "oval"), row(0), row(1, status="IN_REVIEW"))
    for number in range(3):
        put(tmp_path / f"pills/images/{number}.jpg", number)
    return tmp_path / "pills"


def test_a_photo_in_review_says_so(folder: Path) -> None:
    notes = [photo.note for photo in read(folder)]
    assert notes[0] is None
    assert notes[1] == "1.jpg has no label that counts: Labelbox has it as IN_REVIEW, so label or review it there."


def test_a_folder_and_an_archive_hold_the_same_photos(folder: Path, tmp_path: Path) -> None:
    opened = source(folder)
    assert (opened.name, len(opened)) == ("pills", 3)
    expected = [("0.jpg", "round", jpeg(0)), ("1.jpg", None, jpeg(1)), ("2.jpg", "oval", jpeg(2))]
    assert [(photo.name, photo.label, photo.load()) for photo in opened.photos()] == expected
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, f"pills/{path.relative_to(folder)}")
    assert [(photo.name, photo.label, photo.load()) for photo in read(tmp_path / "a.zip")] == expected


def test_an_export_lies_in_a_bucket_with_its_images(folder: Path, bucket: str) -> None:
    import boto3

    client = boto3.client("s3")
    for path in folder.rglob("*.*"):
        client.upload_file(str(path), bucket.removeprefix("s3://"), f"pills/{path.relative_to(folder)}")
    photos = list(LabelboxExportSource(LabelboxExportConfig(path=f"{bucket}/pills")).photos())
    assert [(photo.label, photo.load()) for photo in photos] == [("round", jpeg(0)), (None, jpeg(1)), ("oval", jpeg(2))]


def test_stamps_and_fingerprint_follow_files_and_settings(folder: Path) -> None:
    first = source(folder)
    assert first.fingerprint() == source(folder).fingerprint()
    prints, stamps = {first.fingerprint()}, [photo.stamp for photo in first.photos()]
    os.utime(folder / "images/0.jpg", ns=(1, 1))
    prints.add(source(folder).fingerprint())
    assert [photo.stamp == stamp for photo, stamp in zip(read(folder), stamps, strict=True)] == [False, True, True]
    prints.add(source(folder, statuses=[]).fingerprint())
    write(folder / "export.ndjson", row(0))
    prints.add(source(folder).fingerprint())
    assert len(prints) == 4


def test_images_are_found_by_global_key_external_id_or_stem(tmp_path: Path) -> None:
    rows = [
        row(0, global_key="deep/er/0.jpg"),
        row(1, global_key="key-1"),
        row(2, global_key="key-2", external_id="tray 2.jpg"),
        row(3, global_key=None, external_id="u\u0308ber.png"),
    ]
    write(tmp_path / "export.ndjson", *rows)
    expected = {
        "deep/er/0.jpg": put(tmp_path / "shots/deep/er/0.jpg", 0),
        "key-1": put(tmp_path / "shots/key-1.webp", 1),
        "key-2": put(tmp_path / "shots/tray 2.jpg", 2),
        "u\u0308ber.png": put(tmp_path / "shots/\u00fcber.png", 3),
    }
    assert {photo.name: photo.load() for photo in read(tmp_path, images="shots/")} == expected


def test_images_may_lie_right_beside_the_export(tmp_path: Path) -> None:
    write(tmp_path / "pills/export.ndjson", row(0))
    put(tmp_path / "pills/0.jpg", 0)
    assert [photo.load() for photo in read(tmp_path, images="")] == [jpeg(0)]


def test_a_key_never_leads_out_of_the_images(tmp_path: Path) -> None:
    put(tmp_path / "secret.jpg", 1)
    put(tmp_path / "pills/other/1.jpg", 2)
    for key in ("../../secret.jpg", "../other/1.jpg", str(tmp_path / "secret.jpg")):
        write(tmp_path / "pills/export.ndjson", row(0, global_key=key, url="/secret.jpg"))
        with pytest.raises(DataError, match="has no https address"):
            source(tmp_path / "pills")


def test_an_image_that_is_not_beside_the_export_is_fetched(labelbox: FakeLabelbox, tmp_path: Path) -> None:
    labelbox.keep("/images/0.jpg", jpeg(0))
    write(tmp_path / "export.ndjson", row(0, url=labelbox.url + "/images/{}.jpg?sig=1"))
    (photo,) = read(tmp_path)
    assert labelbox.fetched == []
    assert photo.load() == jpeg(0)
    assert photo.stamp == "r0 2026-01-02T03:04:05.000+00:00"
    labelbox.images_expired = True
    with pytest.raises(DataError, match=r"^the image URL of 0\.jpg expired: export again\.$"):
        next(source(tmp_path).photos()).load()


def test_an_export_without_details_has_no_stamps(tmp_path: Path) -> None:
    one = row(0)
    del one["data_row"]["details"]
    write(tmp_path / "export.ndjson", one)
    assert read(tmp_path)[0].stamp is None


def test_a_labelled_picture_that_nobody_can_get_is_named_at_once(tmp_path: Path) -> None:
    write(tmp_path / "export.ndjson", row(0), row(1, url="gs://bucket/1.jpg"))
    with pytest.raises(
        DataError, match=r"^the image of 1\.jpg has no https address \(gs\): put the image beside the export"
    ):
        source(tmp_path)
    write(tmp_path / "export.ndjson", row(0), row(1, url="gs://bucket/1.jpg", status="IN_REVIEW"))
    assert [photo.label for photo in read(tmp_path)] == ["round", None]


def test_names_are_unique(tmp_path: Path) -> None:
    ids = [("a.jpg", "x"), (None, "a.jpg"), (None, "same"), (None, "same"), (None, "own"), (None, None)]
    write(tmp_path / "export.ndjson", *[row(i, global_key=key, external_id=name) for i, (key, name) in enumerate(ids)])
    assert [photo.name for photo in read(tmp_path)] == ["a.jpg", "own", "r1", "r2", "r3", "r5"]


def test_boxes_share_their_picture(tmp_path: Path) -> None:
    put(tmp_path / "images/0.jpg", 0)
    write(tmp_path / "export.ndjson", row(0, labels=[label(box("a", 1, 1, 9, 9), box("b", 11, 1, 9, 9))]))
    photos = read(tmp_path, objects=True, margin=0.05)
    assert [(p.name, p.label, p.box, p.margin) for p in photos] == [
        ("0.jpg", "a", (1, 1, 10, 10), 0.05),
        ("0.jpg", "b", (11, 1, 20, 10), 0.05),
    ]


def test_every_export_is_read_or_the_one_that_is_named(tmp_path: Path) -> None:
    write(tmp_path / "2026-01/export.ndjson", row(0))
    write(tmp_path / "2026-02/export.NDJSON", row(1, "oval"))
    put(tmp_path / "2026-02/images/1.jpg", 1)
    assert [photo.label for photo in read(tmp_path)] == ["round", "oval"]
    assert read(tmp_path)[1].load() == jpeg(1), "images lie beside their own export"
    assert [photo.label for photo in read(tmp_path, export="2026-01/export.ndjson")] == ["round"]
    with pytest.raises(DataError, match=r"holds no 2026-03/export\.ndjson: give the export's path below it"):
        source(tmp_path, export="2026-03/export.ndjson")


def test_a_row_in_two_exports_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.ndjson", row(0))
    write(tmp_path / "b.ndjson", row(1), row(0, "oval"))
    with pytest.raises(DataError, match=r"data row r0 of b\.ndjson is also in a\.ndjson in .*: keep one export of it"):
        source(tmp_path)


def test_a_folder_without_an_export_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.ndjson file: put the project's export there"):
        source(tmp_path)


def test_a_damaged_export_is_named_by_its_line(folder: Path) -> None:
    path = folder / "export.ndjson"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"^line 3 of export\.ndjson in .*pills is not a row of a Labelbox export"):
        source(folder)


def test_a_byte_order_mark_and_other_line_ends_do_no_harm(folder: Path) -> None:
    path = folder / "export.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(source(folder)) == 3


def test_a_large_export_is_read_and_one_beyond_the_limit_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "export.ndjson", *[row(number) | {"padding": "x" * 1_000_000} for number in range(40)])
    assert len(source(tmp_path)) == 40, "more than a photo may have"
    monkeypatch.setattr(files, "LIMIT", 1_000_000)
    with pytest.raises(DataError, match=r"export\.ndjson in .* has more than 1,000,000 bytes: split it into several"):
        source(tmp_path)


def test_an_old_export_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "export.ndjson").write_text('[{"ID": "x", "DataRow ID": "y", "Labeled Data": "https://x.org"}]')
    with pytest.raises(DataError, match=r"line 1 of .*: export the project as NDJSON, in the format v2"):
        source(tmp_path)


def test_things_and_rows_that_make_no_sense_are_faults(folder: Path) -> None:
    path = folder / "export.ndjson"
    drawn = row(0, labels=[label(box("Pill", 1, 2, 3, 4), mask("Cap"))])
    path.write_text("\n".join(json.dumps(one) for one in (drawn, {"data_row": {"id": 7}})))
    found = read(folder, objects=True)
    assert [(photo.label, photo.box, photo.fault is None) for photo in found] == [
        ("Pill", (1, 2, 4, 6), True),
        ("Cap", None, False),
        (None, None, False),
    ]
    assert found[0].stated_size == StatedSize(24, 24, 1, "pills")
    assert found[1].stated_size is None
    assert str(found[2].fault).startswith(f"line 2 of export.ndjson in {folder} is not a row of a Labelbox export")


def test_a_picture_in_which_nothing_was_drawn_is_empty(folder: Path) -> None:
    write(folder / "export.ndjson", row(0, labels=[label()]), row(1, labels=[label(box("Pill", 1, 2, 3, 4))]))
    found = read(folder, objects=True)
    assert [photo.kind for photo in found] == ["empty", "instance"]
    assert found[0].provenance.labelled_by == "somebody@example.org"
