from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime.core.images import decode
from edge_runtime.core.index import GRAPH_FILE, VECTORS_FILE
from edge_runtime.core.release import (
    CATALOGUE_FILE,
    FILES,
    GOLDEN_IMAGES_FILE,
    LOCALISER_FILE,
    MANIFEST_FILE,
    MANIFEST_MAX_BYTES,
    THUMBNAILS_FILE,
    Release,
    open_release,
    release_id,
)
from edge_runtime.core.selftest import check_release
from edge_runtime.errors import ReleaseError
from tests.edge_runtime.toy_release import (
    COLOURS,
    DIM,
    UNKNOWN,
    add_localiser,
    as_format,
    enrol_into,
    flip,
    read_manifest,
    repin,
    write_manifest,
)


def test_a_whole_release_opens(release: Release) -> None:
    opened = open_release(release.folder)
    assert opened.id == release.id == release_id((release.folder / MANIFEST_FILE).read_bytes())
    assert opened.labels == tuple(COLOURS)
    assert opened.gallery_layout.classes.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
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


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_release_of_an_older_format_opens_under_its_own_id_and_hashes(release: Release, number: int) -> None:
    identity = as_format(number, release.folder)
    before = {path.name: path.read_bytes() for path in release.folder.iterdir()}
    opened = open_release(release.folder, identity)
    assert opened.id == release_id(before[MANIFEST_FILE]) == identity
    assert opened.manifest.files == release.manifest.files
    assert opened.labels == tuple(COLOURS)
    assert opened.preprocessing == release.preprocessing
    assert opened.dim == DIM
    assert {path.name: path.read_bytes() for path in release.folder.iterdir()} == before


def test_what_was_enrolled_and_retired_later_is_read(release: Release) -> None:
    before = {name: (release.folder / name).read_bytes() for name in (VECTORS_FILE, GRAPH_FILE, THUMBNAILS_FILE)}
    changed = open_release(release.folder, enrol_into(release.folder, "purple", UNKNOWN, retire="green"))
    assert changed.labels == ("red", "blue", "yellow", "white", "purple")
    assert changed.gallery_layout.classes.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4]
    assert abs(decode(changed.thumbnail(1)).mean(axis=(0, 1)) - COLOURS["blue"]).max() < 6
    assert abs(decode(changed.thumbnail(4)).mean(axis=(0, 1)) - UNKNOWN).max() < 6
    assert {name: (release.folder / name).read_bytes() for name in before} == before
    check_release(changed)


def test_a_file_that_whoever_enrols_needs_may_be_absent(release: Release) -> None:
    manifest = read_manifest(release.folder)
    manifest["enrolment"] = {"sha256": "0" * 64, "bytes": 12}
    opened = open_release(release.folder, write_manifest(release.folder, manifest))
    assert opened.manifest.enrolment is not None


def test_a_release_with_a_localiser_opens_and_its_file_is_checked(release: Release) -> None:
    identity = add_localiser(release.folder)
    opened = open_release(release.folder, identity)
    entry = opened.manifest.models.localiser
    assert entry is not None
    assert (entry.preprocessing.size, entry.objectness, entry.nms_iou, entry.max_instances) == (32, 0.4, 0.6, 50)
    flip(release.folder / LOCALISER_FILE)
    with pytest.raises(ReleaseError, match=r"localiser\.onnx was altered"):
        open_release(release.folder, identity)


@pytest.mark.parametrize(
    ("catalogue", "says"),
    [
        ({"classes": [{"label": "a", "items": 15}]}, "does not hold the classes"),
        ({"classes": [{"label": "a", "items": 3}] * 5}, "lists the class 'a' twice"),
        ({"classes": []}, "not a valid catalogue"),
        ({"classes": [{"label": "", "items": 1}]}, "not a valid catalogue"),
        ([], "not a valid catalogue"),
        ({"classes": [{"label": "a", "items": 2, "rows": [[0, 3]]}]}, "rows does not span 2 items"),
        ({"classes": [{"label": "a", "items": 3, "rows": [[0, 2], [1, 1]]}]}, "two items lie in one row"),
        ({"classes": [{"label": "a", "items": 1, "rows": [[0, 1]]}, {"label": "b", "items": 1}]}, "some do not"),
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


def test_a_manifest_of_endless_length_is_not_read(release: Release) -> None:
    with (release.folder / MANIFEST_FILE).open("ab") as file:
        file.write(b" " * MANIFEST_MAX_BYTES)  # blanks at the end leave it a valid manifest
    with pytest.raises(ReleaseError, match=r"release\.json is larger than 1,048,576 bytes"):
        open_release(release.folder)


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"release\.json is missing: pull"):
        open_release(tmp_path / "nothing")
