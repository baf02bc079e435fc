from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from discern.errors import DataError
from discern.sources.folder import FolderConfig, FolderSource
from discern.sources.names import MAX_LABEL, NamesConfig, clean_label, split_named
from tests.discern.pictures import jpeg
from tests.discern.sources.layouts import AWKWARD_LABELS, UNFIT_LABELS, pack, sentence

TAGS = {
    "group_pattern": "image-(.+)-cropped",
    "time_pattern": r"image-(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)",
    "time_format": "%Y-%m-%d-%H-%M-%S",
}


@pytest.mark.parametrize("label", AWKWARD_LABELS)
def test_a_label_stays_as_it_is(label: str) -> None:
    assert clean_label(label, "here") == label


def test_a_label_is_composed() -> None:
    assert clean_label("Mu\u0308nze", "here") == "M\u00fcnze"


def test_a_label_may_be_long_but_not_endless() -> None:
    assert clean_label("x" * MAX_LABEL, "here") == "x" * MAX_LABEL
    with pytest.raises(DataError, match=r"here has a label of 201 characters, .*: shorten it to 200 or fewer"):
        clean_label("x" * (MAX_LABEL + 1), "here")


@pytest.mark.parametrize("label", ["", " ", "\t\n", "\u00a0\u2003"])
def test_a_blank_label_is_refused(label: str) -> None:
    with pytest.raises(DataError, match=r"line 3 of a\.csv has a blank label: give it a name"):
        clean_label(label, "line 3 of a.csv")


@pytest.mark.parametrize(
    ("label", "code"), [("a\0", "0000"), ("a\nb", "000A"), ("\x7f", "007F"), ("\ud800", "D800"), ("a\u2028", "2028")]
)
def test_a_control_character_is_refused(label: str, code: str) -> None:
    with pytest.raises(DataError, match=rf"has a label with the character U\+{code}") as caught:
        clean_label(label, "here")
    assert sentence(caught.value).isprintable()


@pytest.mark.parametrize("label", UNFIT_LABELS)
def test_what_every_source_refuses(label: str) -> None:
    with pytest.raises(DataError):
        clean_label(label, "here")


def test_splits_have_usual_names() -> None:
    assert [split_named(word) for word in ("train", "Val", " dev ", "eval", "valid", "VALIDATION", "test")] == [
        "train",
        *["validation"] * 5,
        "test",
    ]
    assert split_named("training") is None
    assert split_named("") is None


def test_a_path_tells_group_and_time() -> None:
    names = NamesConfig.model_validate(TAGS)
    path = "metal_tag/JPEGImages/image-2020-04-22-10-15-03-04-cropped-left-bottom.jpg"
    assert names.group(path) == "2020-04-22-10-15-03-04"
    assert names.captured_at(path) == datetime(2020, 4, 22, 10, 15, 3, tzinfo=UTC)


def test_a_path_without_a_match_tells_nothing() -> None:
    names = NamesConfig.model_validate(TAGS)
    assert names.group("photo.jpg") is None
    assert names.captured_at("photo.jpg") is None
    either = NamesConfig(group_pattern="tray(\\d*)|lot")
    assert either.group("lot/1.jpg") is None
    assert either.group("tray/1.jpg") is None
    assert either.captured_at("tray/1.jpg") is None


def test_a_zone_is_honoured() -> None:
    names = NamesConfig(time_pattern=r"_(.+)\.jpg", time_format="%Y%m%dT%H%M%S%z")
    assert names.captured_at("a_20200422T101503+0200.jpg") == datetime(2020, 4, 22, 8, 15, 3, tzinfo=UTC)


def test_a_time_that_does_not_fit_is_named() -> None:
    names = NamesConfig.model_validate(TAGS)
    with pytest.raises(DataError) as caught:
        names.captured_at("image-2020-13-22-10-15-03.jpg")
    message = sentence(caught.value)
    assert "'2020-13-22-10-15-03'" in message
    assert TAGS["time_pattern"] in message
    assert "image-2020-13-22-10-15-03.jpg is not written as %Y-%m-%d-%H-%M-%S" in message


@pytest.mark.parametrize("time", ["00010101T000000+1400", "99991231T235959-1200"])
def test_a_time_beyond_the_calendar_is_named(time: str) -> None:
    names = NamesConfig(time_pattern=r"_(.+)\.jpg", time_format="%Y%m%dT%H%M%S%z")
    with pytest.raises(DataError, match="is not written as"):
        names.captured_at(f"a_{time}.jpg")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "names needs group_pattern"),
        ({"group_pattern": "("}, "is no regular expression"),
        ({"group_pattern": "image-.+"}, "has no capture group"),
        ({"group_pattern": "image-(?:.+)"}, "has no capture group"),
        ({"group_pattern": ""}, "at least 1 character"),
        ({"time_pattern": "(.*)"}, "time_pattern and time_format go together"),
        ({"time_format": "%Y"}, "names needs group_pattern, or time_pattern"),
        ({"group_pattern": "(.*)", "time_format": "%Y%m%d"}, "time_pattern and time_format go together"),
        ({"time_pattern": "[", "time_format": "%Y%m%d"}, "time_pattern .* is no regular expression"),
        ({"time_pattern": "(.*)", "time_format": "%Y-%Q"}, "cannot be read with"),
        ({"time_pattern": "(.*)", "time_format": "%H:%M"}, "gives no full date"),
        ({"time_pattern": "(.*)", "time_format": "%Y-%m"}, "gives no full date"),
        ({"group": "(.*)"}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NamesConfig.model_validate(settings)


def test_settings_survive_json() -> None:
    names = NamesConfig.model_validate(TAGS)
    assert NamesConfig.model_validate_json(names.model_dump_json()) == names


def test_a_folder_of_classes_takes_names_from_its_paths(tmp_path: Path) -> None:
    files = {f"{label}/tray{i % 2}-{i}.jpg": jpeg(i) for label in ("Mu\u0308nze", "Tag") for i in range(4)}
    archive = pack(tmp_path / "a.zip", files)
    config = FolderConfig(path=str(archive), names=NamesConfig(group_pattern="(tray.)"))
    found = list(FolderSource(config).photos())
    assert {photo.group for photo in found} == {"tray0", "tray1"}
    assert {photo.label for photo in found} == {"M\u00fcnze", "Tag"}
    assert {photo.captured_at for photo in found} == {None}
    plain = FolderSource(FolderConfig(path=str(archive)))
    assert {photo.group for photo in plain.photos()} == {None}
    assert plain.fingerprint() != FolderSource(config).fingerprint()


def test_a_class_folder_with_an_unfit_name_is_named(tmp_path: Path) -> None:
    files = {f"{label}/{i}.jpg": jpeg(i) for label in ("a\nb", "Tag") for i in range(2)}
    with pytest.raises(DataError, match=r"the class folder 'a\\nb' in .* has a label with the character U\+000A"):
        FolderSource(FolderConfig(path=str(pack(tmp_path / "a.zip", files))))
