"""Queries of the toy version: which ones are selected, and that a version without them is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.evaluation.gallery import GalleryConfig, embed_batches
from discern.evaluation.queries import check_calibratable, decode_gallery, decode_queries, select_queries
from edge_runtime.core.embedder import OnnxEmbedder
from tests.discern import candidates, toy
from tests.edge_runtime import toy_release

PREPROCESSING = toy_release.PREPROCESSING


def test_select_queries_leaves_out_a_class_that_trained_and_is_not_enrolled(toy_version: DatasetVersion) -> None:
    trained = toy.TEST[1]  # as if the gallery photos of this class stood in the training split
    rows = zip(*(toy_version.column(name) for name in ("label", "role", "split")), strict=True)
    split = ["train" if (label, role) == (trained, "gallery") else before for label, role, before in rows]
    table = toy_version.table.set_column(toy_version.table.schema.get_field_index("split"), "split", [split])
    version = DatasetVersion(table, toy_version.shards)
    rest = {label for label in toy.TEST if label != trained}
    assert set(select_queries(version, "test", toy.TEST).labels) == {*toy.TEST, *toy.TEST_UNKNOWNS}
    assert set(select_queries(version, "test", rest).labels) == {*rest, *toy.TEST_UNKNOWNS}


def test_decode_queries_gives_each_query_of_the_split_once_with_the_trained_classes(
    toy_version: DatasetVersion,
) -> None:
    queries = decode_queries(toy_version, "validation", toy.VALIDATION, PREPROCESSING)
    assert len(queries.rows) == len(queries.pixels) == 28
    assert set(queries.rows.labels) == {*toy.VALIDATION, *toy.VALIDATION_UNKNOWNS}
    assert queries.trained == set(toy.TRAINED)
    for row in (0, 27):
        np.testing.assert_array_equal(queries.pixels[row], PREPROCESSING.apply(queries.rows.pixels(row)))


def test_an_embedded_split_is_enrolled_and_searched(toy_version: DatasetVersion, tmp_path: Path) -> None:
    model = OnnxEmbedder(toy_release.write_model(tmp_path / "model.onnx"), PREPROCESSING)
    photos = decode_gallery(toy_version, candidates.GALLERY, PREPROCESSING)
    embedded = photos.embed(model)
    np.testing.assert_array_equal(embedded.vectors, embed_batches(model, photos.pixels))
    gallery = embedded.enrol(candidates.GALLERY)
    assert gallery.labels == tuple(sorted((*toy.VALIDATION, *toy.TEST)))
    results = embedded.search(gallery)
    assert results.retrieved.all()  # each photo is its own nearest
    assert list(results.query_labels) == embedded.labels
    assert not results.trained.any()


def test_a_query_is_asked_twice_and_one_of_an_unknown_class_once(toy_version: DatasetVersion, tmp_path: Path) -> None:
    model = OnnxEmbedder(toy_release.write_model(tmp_path / "model.onnx"), PREPROCESSING)
    everything = GalleryConfig(photos_per_class=2)
    gallery = decode_gallery(toy_version, everything, PREPROCESSING).embed(model).enrol(everything)
    assert set(gallery.labels) == set(toy.LABELS)
    queries = decode_queries(toy_version, "test", gallery.labels, PREPROCESSING).embed(model)
    results = queries.search(gallery)
    assert queries.photos == 24
    assert len(queries.rows) == len(results.truth) == 24 + 16
    known, unknown = results.take(results.enrolled), results.take(~results.enrolled)
    assert set(known.query_labels) == set(toy.TEST)
    assert set(unknown.query_labels) == {*toy.TEST, *toy.TEST_UNKNOWNS}
    assert unknown.left_out.all()
    named = [gallery.labels[number] for number in unknown.best_class]
    assert all(name != label for name, label in zip(named, unknown.query_labels, strict=True))
    for row in (0, 30):
        photo = PREPROCESSING.apply(queries.rows.pixels(row))
        np.testing.assert_allclose(model.embed(photo[None])[0], queries.vectors[row], atol=1e-5)


def test_one_enrolled_class_is_not_left_out_of_a_gallery_of_its_own(toy_version: DatasetVersion) -> None:
    only = toy_version.select(labels={toy.TEST[0]})
    assert decode_queries(only, "test", [toy.TEST[0]], PREPROCESSING).asked_twice == frozenset()


LACKING = {
    "no gallery photo": ("gallery", None),
    "validation split has no query": ("validation", None),
    "test split has no query": ("test", None),
    "test split has no query of an enrolled class": (None, toy.TEST),
}


@pytest.mark.parametrize("message", LACKING)
def test_check_calibratable_refuses_a_version_that_lacks(toy_version: DatasetVersion, message: str) -> None:
    part, labels = LACKING[message]
    rows = zip(*(toy_version.column(name) for name in ("split", "role", "label")), strict=True)
    left = [
        number
        for number, (split, role, label) in enumerate(rows)
        if part not in {split, role} and label not in (labels or ())
    ]
    with pytest.raises(DataError, match=message):
        check_calibratable(toy_version.take(left), GalleryConfig())


def test_check_calibratable_accepts_a_version_without_classes_that_are_held_out_as_unknowns(
    toy_version: DatasetVersion,
) -> None:
    check_calibratable(toy_version, GalleryConfig())
    check_calibratable(toy_version.select(labels={*toy.TRAINED, *toy.VALIDATION, *toy.TEST}), GalleryConfig())
