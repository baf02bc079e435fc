from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.quality import contact_sheet
from discern.quality.contact_sheet import CELL, GAP, MAX_OF_CLASS, class_rows, strip
from tests.discern.pictures import photos


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    return write_version(photos(12, 9), str(tmp_path_factory.mktemp("shards")))[0]


def test_every_class_has_a_row_with_its_photos_of_each_split(version: DatasetVersion) -> None:
    rows = class_rows(version)
    assert [row.label for row in rows] == version.labels
    for row in rows:
        assert row.total == 9
        assert row.photos == {
            split: len(part)
            for split in ("train", "validation", "test")
            if len(part := version.select(split, labels=[row.label]))
        }
        assert row.enrolled == (row.label in version.select(role="gallery").labels)
    assert not all(row.enrolled for row in rows)


def test_photos_of_the_gallery_stand_for_a_class_first(version: DatasetVersion) -> None:
    labels, roles = version.column("label"), version.column("role")
    for row in class_rows(version):
        assert len(row.shown) == MAX_OF_CLASS
        assert {labels[shown] for shown in row.shown} == {row.label}
        if row.enrolled:
            assert roles[row.shown[0]] == "gallery"


def test_many_classes_are_all_there_with_fewer_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version, _ = write_version(photos(60, 3), str(tmp_path))
    monkeypatch.setattr(contact_sheet, "MAX_PHOTOS", 130)
    assert [len(row.shown) for row in class_rows(version)] == [2] * 60
    monkeypatch.setattr(contact_sheet, "MAX_PHOTOS", 50)
    assert [len(row.shown) for row in class_rows(version)] == [1] * 50 + [0] * 10


def test_a_strip_shows_photos_side_by_side(version: DatasetVersion) -> None:
    shown = strip([version.pixels(row) for row in range(3)])
    assert shown.shape == (CELL.size, 3 * CELL.size + 2 * GAP, 3)
    assert np.array_equal(shown[:, : CELL.size], CELL.apply(version.pixels(0)))
