from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from discern.datasets.appearance import describe
from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.evaluation.gallery import GalleryConfig, enrol, gallery_rows
from tests.discern import toy

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, -1]], np.float32)


def labels_of(version: DatasetVersion, rows: list[int]) -> list[str]:
    return version.take(rows).column("label")


def test_every_class_is_enrolled_those_that_are_held_out_as_unknowns_too(toy_version: DatasetVersion) -> None:
    rows = gallery_rows(toy_version, GalleryConfig(photos_per_class=3))
    labels = labels_of(toy_version, rows)
    assert set(labels) == set(toy.LABELS)
    assert [labels.count(label) for label in toy.TEST_UNKNOWNS] == [3, 3]
    of_test = gallery_rows(toy_version, GalleryConfig(photos_per_class=3, splits=("test",)))
    assert set(labels_of(toy_version, of_test)) == {*toy.TEST, *toy.TEST_UNKNOWNS}


def test_only_gallery_photos_are_enrolled_where_unknown_classes_are_not(toy_version: DatasetVersion) -> None:
    rows = gallery_rows(toy_version, GalleryConfig(photos_per_class=100, unknown_classes=False))
    assert set(toy_version.take(rows).column("role")) == {"gallery"}
    assert len(rows) == len(toy_version.select(role="gallery"))
    assert set(labels_of(toy_version, rows)) == {*toy.TRAINED, *toy.VALIDATION, *toy.TEST}


@pytest.mark.parametrize("cap", [1, 2, 3])
def test_no_class_gets_more_than_the_cap(toy_version: DatasetVersion, cap: int) -> None:
    labels = labels_of(toy_version, gallery_rows(toy_version, GalleryConfig(photos_per_class=cap)))
    assert {label: labels.count(label) for label in toy.TRAINED} == dict.fromkeys(toy.TRAINED, cap)
    assert {label: labels.count(label) for label in toy.TEST} == dict.fromkeys(toy.TEST, min(cap, 2))


def without_appearances(version: DatasetVersion) -> DatasetVersion:
    """The version as a manifest of format 3 holds it."""
    place = version.table.schema.get_field_index("appearance")
    nothing = pa.nulls(len(version), pa.binary())
    return dataclasses.replace(version, table=version.table.set_column(place, "appearance", nothing))


def test_photos_are_spread_over_their_looks(toy_version: DatasetVersion) -> None:
    """Of three photos, of which two look the same, the odd one is enrolled beside one of the two."""
    looks = [describe(np.full((8, 8, 3), value, np.uint8)) for value in (0, 0, 250)]
    label = toy.TRAINED[0]
    some = toy_version.take([row for row, name in enumerate(toy_version.column("label")) if name == label][:3])
    place = some.table.schema.get_field_index("appearance")
    some = dataclasses.replace(some, table=some.table.set_column(place, "appearance", pa.array(looks, pa.binary())))
    assert gallery_rows(some, GalleryConfig(photos_per_class=2)) in ([0, 2], [1, 2])
    assert gallery_rows(without_appearances(some), GalleryConfig(photos_per_class=2)) == [0, 1]


def test_the_first_photos_are_taken_where_nobody_measured_their_looks(toy_version: DatasetVersion) -> None:
    config = GalleryConfig(photos_per_class=2)
    toy_version = without_appearances(toy_version)
    rows = gallery_rows(toy_version, config)
    assert rows == sorted(rows)
    label = toy_version.column("label")
    of_one = [row for row in range(len(toy_version)) if label[row] == toy.TRAINED[0]]
    assert [row for row in rows if label[row] == toy.TRAINED[0]] == of_one[:2]
    backwards = toy_version.take(range(len(toy_version) - 1, -1, -1))
    last = [backwards.column("source")[row] for row in gallery_rows(backwards, config)]
    assert set(last) != {toy_version.column("source")[row] for row in rows}


def test_only_the_splits_that_are_named_are_enrolled(toy_version: DatasetVersion) -> None:
    rows = gallery_rows(toy_version, GalleryConfig(splits=("test",), unknown_classes=False))
    assert set(labels_of(toy_version, rows)) == set(toy.TEST)
    assert set(toy_version.take(rows).column("split")) == {"test"}


def test_no_gallery_photo_is_an_error(toy_version: DatasetVersion) -> None:
    with pytest.raises(DataError, match="no gallery photo in the splits that are enrolled: check `splits`"):
        gallery_rows(toy_version.select(role="query"), GalleryConfig())
    with pytest.raises(DataError, match="no gallery photo"):
        gallery_rows(toy_version.select(split="train"), GalleryConfig(splits=("test",)))


def test_every_exemplar_is_a_row() -> None:
    gallery = enrol(VECTORS, ["b", "a", "b", "c"], GalleryConfig())
    assert gallery.labels == ("a", "b", "c")
    assert gallery.class_ids.tolist() == [1, 0, 1, 2]
    np.testing.assert_array_equal(gallery.vectors, VECTORS)
    assert gallery.vectors.dtype == np.float32
    assert gallery.class_ids.dtype == np.int64


def test_a_prototype_is_the_normalised_mean() -> None:
    gallery = enrol(VECTORS, ["b", "a", "b", "c"], GalleryConfig(represent="prototype"))
    mean = (VECTORS[0] + VECTORS[2]) / 2
    np.testing.assert_allclose(gallery.vectors, [VECTORS[1], mean / np.linalg.norm(mean), VECTORS[3]], atol=1e-7)
    assert gallery.class_ids.tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.linalg.norm(gallery.vectors, axis=1), 1, atol=1e-6)
    assert gallery.vectors.dtype == np.float32


def test_a_class_whose_photos_cancel_out_has_no_prototype() -> None:
    with pytest.raises(DataError, match="'a' cancel each other out"):
        enrol(np.array([[0, 1], [0, -1], [1, 0]], np.float32), ["a", "a", "b"], GalleryConfig(represent="prototype"))


@pytest.mark.parametrize("setting", [{"photos_per_class": 0}, {"splits": []}, {"represent": "mean"}, {"photos": 3}])
def test_a_setting_that_means_nothing_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        GalleryConfig.model_validate(setting)


def test_what_is_still_to_be_chosen_is_not_enrolled() -> None:
    auto = GalleryConfig(represent="auto")
    with pytest.raises(ValueError, match="choose a representation"):
        enrol(VECTORS, ["b", "a", "b", "c"], auto)
    decided = auto.decided("prototype", class_offsets=True)
    assert decided == GalleryConfig(represent="prototype", class_offsets=True)
