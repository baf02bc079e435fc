from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.core.images import decode
from edge_runtime.core.release import (
    CATALOGUE_FILE,
    FILES,
    GOLDEN_IMAGES_FILE,
    MANIFEST_FILE,
    THUMBNAILS_FILE,
    Release,
    open_release,
    parse_manifest,
    release_id,
)
from edge_runtime.errors import ReleaseError
from tests.edge_runtime.toy_release import COLOURS, DIM, as_format_1, flip, repin


def test_a_whole_release_opens(release: Release) -> None:
    opened = open_release(release.folder)
    assert opened.id == release.id == release_id((release.folder / MANIFEST_FILE).read_bytes())
    assert opened.labels == tuple(COLOURS)
    assert opened.gallery_classes.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert opened.manifest.lineage.dataset_version == "0123456789abcdef"
    assert opened.created.tzinfo is not None


def test_pictures_come_back(release: Release) -> None:
    for number, colour in enumerate(COLOURS.values()):
        assert abs(decode(release.thumbnail(number)).mean(axis=(0, 1)) - colour).max() < 6
    images, vectors = release.golden()
    assert len(images) == len(vectors) == 3
    assert vectors.shape[1] == DIM
    with pytest.raises(ReleaseError, match="class 5 is not in release"):
        release.thumbnail(5)


@pytest.mark.parametrize("at", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("name", [MANIFEST_FILE, *FILES])
def test_an_altered_byte_in_any_file_is_refused_by_name(release: Release, name: str, at: float) -> None:
    flip(release.folder / name, at)
    with pytest.raises(ReleaseError, match=name.replace(".", r"\.")):
        open_release(release.folder, release.id)


@pytest.mark.parametrize("name", [MANIFEST_FILE, *FILES])
def test_a_missing_or_cut_off_file_is_refused_by_name(release: Release, name: str) -> None:
    path = release.folder / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReleaseError, match=name.replace(".", r"\.")):
        open_release(release.folder, release.id)
    path.unlink()
    with pytest.raises(ReleaseError, match=rf"{name} is missing"):
        open_release(release.folder, release.id)


def test_a_folder_in_a_files_place_is_refused(release: Release) -> None:
    (release.folder / CATALOGUE_FILE).unlink()
    (release.folder / CATALOGUE_FILE).mkdir()
    with pytest.raises(ReleaseError, match=r"catalogue\.json"):
        open_release(release.folder)


def test_files_that_are_not_listed_are_ignored(release: Release) -> None:
    (release.folder / "notes.txt").write_text("mine")
    assert open_release(release.folder, release.id).id == release.id


def changed(release: Release, **changes: Any) -> bytes:
    content = json.loads((release.folder / MANIFEST_FILE).read_bytes())
    for path, value in changes.items():
        inner, keys = content, path.split("__")
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
    return json.dumps(content).encode()


def test_a_newer_format_asks_for_an_update(toy_release: Release) -> None:
    with pytest.raises(ReleaseError, match=r"format 3, .* reads up to 2: update discern-edge\."):
        parse_manifest(changed(toy_release, format=3, something_new=True))


def test_a_release_of_format_1_opens_and_has_no_calibration(release: Release) -> None:
    number = as_format_1(release.folder)
    opened = open_release(release.folder, number)
    assert opened.manifest.format == 1
    assert opened.manifest.calibration is None
    assert opened.manifest.represent is None
    assert opened.labels == tuple(COLOURS)


@pytest.mark.parametrize(("field", "value"), [("calibration", None), ("represent", "exemplars")])
def test_a_field_of_format_2_does_not_stand_in_format_1(release: Release, field: str, value: object) -> None:
    as_format_1(release.folder)
    with pytest.raises(ReleaseError, match=f"format 1 has no {field}"):
        parse_manifest(changed(release, **{field: value}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"surprise": 1}, "surprise"),
        ({"format": "1"}, "format"),
        ({"format": 0}, "format"),
        ({"created": "2026-01-01T00:00:00"}, "created"),
        ({"decision__threshold": "0.5"}, r"decision\.threshold"),
        ({"decision__fpir": 1.5}, r"decision\.fpir"),
        ({"calibration__score": None}, r"calibration\.score"),
        ({"calibration__slope": 1.0}, r"calibration\.slope"),
        ({"calibration__margin": float("inf")}, "is not a valid manifest"),
        ({"represent": "auto"}, "represent"),
        ({"preprocessing__fit": "crop"}, r"preprocessing\.fit"),
        ({"counts__classes": 0}, r"counts\.classes"),
        ({"metrics": {"recall": None}}, r"metrics\.recall"),
        ({"lineage__author": "me"}, r"lineage\.author"),
        ({"files": {}}, "does not list catalogue"),
        ({"files__../evil": {"sha256": "0" * 64, "bytes": 1}}, "not a plain file name"),
        ({"files__/etc/passwd": {"sha256": "0" * 64, "bytes": 1}}, "not a plain file name"),
        ({"files__release.json": {"sha256": "0" * 64, "bytes": 1}}, "not a plain file name"),
        ({"files__x": {"sha256": "0" * 63, "bytes": 1}}, r"files\.x\.sha256"),
    ],
)
def test_a_manifest_that_is_not_valid_is_refused_by_field(
    toy_release: Release, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ReleaseError, match=says) as caught:
        parse_manifest(changed(toy_release, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"3", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ReleaseError, match="is not a release manifest"):
        parse_manifest(data)


def test_numbers_that_are_not_finite_are_refused(toy_release: Release) -> None:
    text = changed(toy_release, decision__threshold=float("nan"))
    assert b"NaN" in text
    with pytest.raises(ReleaseError, match="is not a valid manifest"):
        parse_manifest(text)


@pytest.mark.parametrize(
    ("catalogue", "says"),
    [
        ({"classes": [{"label": "a", "items": 15}]}, "does not hold the classes"),
        ({"classes": [{"label": "a", "items": 3}] * 5}, "lists the class 'a' twice"),
        ({"classes": []}, "not a valid catalogue"),
        ({"classes": [{"label": "", "items": 1}]}, "not a valid catalogue"),
        ([], "not a valid catalogue"),
    ],
)
def test_a_catalogue_that_does_not_fit_is_refused(release: Release, catalogue: object, says: str) -> None:
    (release.folder / CATALOGUE_FILE).write_text(json.dumps(catalogue))
    careless = open_release(release.folder, repin(release.folder))
    with pytest.raises(ReleaseError, match=says):
        _ = careless.labels


@pytest.mark.parametrize("name", [THUMBNAILS_FILE, GOLDEN_IMAGES_FILE])
def test_an_archive_that_is_none_is_named(release: Release, name: str) -> None:
    (release.folder / name).write_bytes(b"no zip")
    careless = open_release(release.folder, repin(release.folder))
    with pytest.raises(ReleaseError, match=rf"{name} is damaged"):
        _ = careless.thumbnail(0) if name == THUMBNAILS_FILE else careless.golden()


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"release\.json is missing: pull"):
        open_release(tmp_path / "nothing")
