"""A version's rows: instances alone unless the others are wanted, and all of them in its file."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion, load_manifest, save_manifest, widen
from discern.sources.base import Photo
from tests.discern.pictures import jpeg, photos

WIDE = jpeg(4, 40)


def mixed(folder: Path) -> DatasetVersion:
    """Ten classes of three photos, an empty image in training and one in test, and an unlabelled image."""
    given = [
        Photo("belt/1.jpg", None, jpeg(70), split="train", empty=True),
        *photos(10, 3),
        Photo("belt/2.jpg", None, jpeg(71), split="test", empty=True),
        Photo("new.jpg", None, jpeg(72)),
    ]
    return write_version(given, str(folder), source="mine", cleaning=CleaningConfig(unlabelled="keep"))[0]


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    return mixed(tmp_path_factory.mktemp("shards"))


def test_all_that_learns_or_measures_meets_instances_alone(version: DatasetVersion) -> None:
    assert len(version) == 30
    assert None not in version.column("label")
    assert len(version.labels) == 10
    parts = [version.select(split) for split in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 30
    assert version.take([3]).column("source") == ["mine/c01/0.jpg"]
    assert version.image_bytes(0) == jpeg(0)


def test_negatives_are_the_empty_images_of_a_split(version: DatasetVersion) -> None:
    assert version.negatives().column("source") == ["mine/belt/1.jpg", "mine/belt/2.jpg"]
    assert set(version.negatives().column("role")) == {None}
    assert version.negatives("test").column("source") == ["mine/belt/2.jpg"]
    assert version.negatives("test").image_bytes(0) == jpeg(71)
    assert version.negatives().pixels(0).shape == (24, 24, 3)
    assert version.negatives().labels == []


def test_unlabelled_images_have_neither_split_nor_role(version: DatasetVersion) -> None:
    rows = version.unlabelled()
    assert rows.column("source") == ["mine/new.jpg"]
    assert (rows.column("split"), rows.column("role"), rows.column("label_method")) == ([None], [None], [None])
    assert rows.image_bytes(0) == jpeg(72)


def test_a_part_has_the_negatives_of_its_split_and_none_where_classes_are_chosen(version: DatasetVersion) -> None:
    assert version.select("test").negatives().column("source") == ["mine/belt/2.jpg"]
    assert len(version.select("test").unlabelled()) == 0
    assert len(version.select(role="query").negatives()) == 0
    assert len(version.select(labels=["c01"]).negatives()) == 0
    assert len(version.take([0]).negatives()) == 0
    assert len(version.select().negatives()) == 2


def test_a_file_holds_the_rows_of_every_kind(version: DatasetVersion, tmp_path: Path) -> None:
    save_manifest(version, tmp_path / "m.parquet")
    again = load_manifest(tmp_path / "m.parquet")
    assert again.id == version.id
    assert again.table == version.table
    assert again.without_instance == version.without_instance
    assert again.all_rows().column("row_kind") == ["instance"] * 30 + ["empty", "empty", "unlabelled"]


def test_all_of_it_travels_to_other_processes(version: DatasetVersion) -> None:
    version.images()
    again = pickle.loads(pickle.dumps(version))  # noqa: S301
    assert again.id == version.id
    assert again.negatives().image_bytes(1) == jpeg(71)


def test_whole_images_have_their_pixels(version: DatasetVersion) -> None:
    images = version.images()
    assert [image.number for image in images] == list(range(32))
    assert [image.source for image in version.images("test") if not image.instances] == ["mine/belt/2.jpg"]
    assert all(version.image_pixels(image.number).shape == (24, 24, 3) for image in images[-3:])


def test_a_margin_is_a_share_of_each_side_of_a_box_that_is_not_square(tmp_path: Path) -> None:
    assert widen((10, 10, 30, 14), 0.25) == (5, 9, 35, 15)
    photo = Photo("wide.jpg", "a", WIDE, (10.0, 10.0, 30.0, 14.0), "train", margin=0.25)
    version, _ = write_version([photo], str(tmp_path))
    assert version.pixels(0).shape == (6, 30, 3)
    (image,) = version.images()
    assert image.size == (40, 40)
    assert (image.instances[0].box, image.instances[0].margin) == ((10, 10, 30, 14), 0.25)
    assert version.image_pixels(0).shape == (40, 40, 3)
