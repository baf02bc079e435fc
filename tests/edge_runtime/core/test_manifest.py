from __future__ import annotations

import json
from typing import Any

import pytest

from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.core.release import FORMAT, LOCALISER_FILE, MANIFEST_FILE, MODEL_FILE, Release, parse_manifest
from edge_runtime.errors import ReleaseError
from tests.edge_runtime.toy_release import add_localiser, read_manifest


def changed(release: Release, **changes: Any) -> bytes:
    """The release's manifest with some fields set; `__` goes into an object."""
    content = read_manifest(release.folder)
    for path, value in changes.items():
        inner, keys = content, path.split("__")
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
    return json.dumps(content).encode()


def test_a_manifest_says_how_a_photo_becomes_an_embedding(toy_release: Release) -> None:
    entry = toy_release.manifest.models.embedding
    assert (entry.file, entry.preprocessing.size, entry.preprocessing.fit) == (MODEL_FILE, 16, "letterbox")
    assert (entry.dim, entry.numeric_format) == (8, "fp32")
    assert toy_release.manifest.models.localiser is None


def test_a_manifest_says_how_its_gallery_was_enrolled(toy_release: Release) -> None:
    gallery = toy_release.manifest.gallery
    assert gallery is not None
    assert gallery.model_dump() == {
        "represent": "exemplars",
        "photos_per_class": 3,
        "splits": ("validation", "test"),
        "unknown_classes": False,
        "class_offsets": False,
    }
    assert toy_release.manifest.represent == "exemplars"
    assert parse_manifest(changed(toy_release, gallery=None)).represent is None


def test_counts_may_grow_without_another_format(toy_release: Release) -> None:
    counts = parse_manifest(changed(toy_release, counts__trained_classes=3)).counts
    assert counts.classes == 5
    assert counts.model_dump()["trained_classes"] == 3
    with pytest.raises(ReleaseError, match=r"counts\.trained_classes"):
        parse_manifest(changed(toy_release, counts__trained_classes=-1))
    with pytest.raises(ReleaseError, match=r"counts\.trained_classes"):
        parse_manifest(changed(toy_release, counts__trained_classes="3"))


def test_a_newer_format_asks_for_an_update(toy_release: Release) -> None:
    with pytest.raises(ReleaseError, match=r"format 6, .* reads up to 5: update discern-edge\."):
        parse_manifest(changed(toy_release, format=FORMAT + 1, something_new=True))


def test_limits_of_photos_are_read_as_they_are_stated(toy_release: Release) -> None:
    assert toy_release.photo_limits is None
    limits = {"least_side": 40, "least_brightness": 0.09, "most_white": 0.6, "least_sharpness": 0.02}
    entry = parse_manifest(changed(toy_release, photo_limits=limits)).photo_limits
    assert entry is not None
    assert entry.build() == PhotoLimits(**limits)  # type: ignore[arg-type]  # one of them is an int
    none = parse_manifest(changed(toy_release, photo_limits={})).photo_limits
    assert none is not None
    assert none.build() == PhotoLimits()


def test_a_model_has_a_file_of_its_own(release: Release) -> None:
    add_localiser(release.folder)
    for name in (MODEL_FILE, "catalogue.json"):
        with pytest.raises(ReleaseError, match=rf"models: {name} is another file of the release"):
            parse_manifest(changed(release, models__localiser__file=name))
    with pytest.raises(ReleaseError, match=r"does not list detector\.onnx"):
        parse_manifest(changed(release, models__localiser__file="detector.onnx"))
    with pytest.raises(ReleaseError, match=r"localiser\.file: .* is not a plain file name"):
        parse_manifest(changed(release, models__localiser__file=f"../{LOCALISER_FILE}"))


@pytest.mark.parametrize("field", ["objectness", "nms_iou", "max_instances", "preprocessing"])
def test_a_localiser_states_all_that_its_boxes_are_read_with(release: Release, field: str) -> None:
    add_localiser(release.folder)
    content = read_manifest(release.folder)
    del content["models"]["localiser"][field]
    with pytest.raises(ReleaseError, match=rf"models\.localiser\.{field}"):
        parse_manifest(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"surprise": 1}, "surprise"),
        ({"format": "3"}, "format"),
        ({"format": 0}, "format"),
        ({"format": True}, "format"),
        ({"preprocessing": {"size": 16, "fit": "letterbox"}}, "preprocessing"),
        ({"represent": "exemplars"}, "represent"),
        ({"created": "2026-01-01T00:00:00"}, "created"),
        ({"decision__threshold": "0.5"}, r"decision\.threshold"),
        ({"decision__fpir": 1.5}, r"decision\.fpir"),
        ({"calibration__score": None}, r"calibration\.score"),
        ({"calibration__slope": 1.0}, r"calibration\.slope"),
        ({"calibration__margin": float("inf")}, "is not a valid manifest"),
        ({"decision__least_probability": 1.5}, r"decision\.least_probability"),
        ({"decision__least_probability": 0.5, "calibration": None}, "no calibrator states a probability"),
        ({"photo_limits": {"least_side": 0}}, r"photo_limits\.least_side"),
        ({"photo_limits": {"least_brightness": 4}}, r"photo_limits\.least_brightness"),
        ({"photo_limits": {"most_white": -0.1}}, r"photo_limits\.most_white"),
        ({"photo_limits": {"least_sharpness": float("inf")}}, "is not a valid manifest"),
        ({"photo_limits": {"least_contrast": 0.1}}, r"photo_limits\.least_contrast"),
        ({"gallery__represent": "auto"}, r"gallery\.represent"),
        ({"gallery__photos_per_class": 0}, r"gallery\.photos_per_class"),
        ({"gallery__splits": "test"}, r"gallery\.splits"),
        ({"models": {}}, r"models\.embedding"),
        ({"models__embedding__preprocessing__fit": "crop"}, r"preprocessing\.fit"),
        ({"models__embedding__numeric_format": "int4"}, r"embedding\.numeric_format"),
        ({"models__embedding__mean": [0.5]}, r"embedding\.mean"),
        ({"models__segmenter": {}}, r"models\.segmenter"),
        ({"counts__classes": 0}, r"counts\.classes"),
        ({"metrics": {"recall": None}}, r"metrics\.recall"),
        ({"lineage__author": "me"}, r"lineage\.author"),
        ({"lineage__precision": "fp32"}, r"lineage\.precision"),
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


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"3", b"[" * 100_000, b"\xff\xfe", b'{"format": 2}'])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ReleaseError, match=rf"{MANIFEST_FILE} is not a (release|valid) manifest"):
        parse_manifest(data)


def test_numbers_that_are_not_finite_are_refused(toy_release: Release) -> None:
    text = changed(toy_release, decision__threshold=float("nan"))
    assert b"NaN" in text
    with pytest.raises(ReleaseError, match="is not a valid manifest"):
        parse_manifest(text)
