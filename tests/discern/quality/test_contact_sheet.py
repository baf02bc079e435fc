from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.quality.contact_sheet import CELL, GAP, MAX_PHOTOS, class_rows, strip
from edge_runtime.core.images import Pixels
from tests.discern.pictures import photos


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    return write_version(photos(12, 9), str(tmp_path_factory.mktemp("shards")))[0]


def opened(address: str) -> Image.Image:
    kind, data = address.split(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_every_class_has_a_row_held_out_ones_first(version: DatasetVersion) -> None:
    rows = list(class_rows(version))
    assert sorted(row.label for row in rows) == version.labels
    trained = [row.split == "train" for row in rows]
    assert trained == sorted(trained)
    assert all(row.photos == 9 for row in rows)
    assert any(row.unknown for row in rows)
    assert not any(row.unknown for row in rows if row.split == "train")


def test_a_strip_shows_photos_side_by_side(version: DatasetVersion) -> None:
    assert opened(strip([version.pixels(i) for i in range(3)])).size == (3 * CELL.size + 2 * GAP, CELL.size)


def test_many_classes_are_cut_and_stay_small(tmp_path: Path) -> None:
    version, _ = write_version(photos(60, 3), str(tmp_path))
    rows = list(class_rows(version, max_classes=50))
    assert len(rows) == 50
    assert {row.split for row in rows} >= {"validation", "test"}
    width = sum(opened(row.strip).width for row in rows)
    assert width <= MAX_PHOTOS * (CELL.size + GAP)


def test_the_same_photos_stand_below_as_training_changes_them(version: DatasetVersion) -> None:
    def dark(shown: Sequence[Pixels]) -> list[Pixels]:
        return [(one // 4).astype(np.uint8) for one in shown]

    for row in class_rows(version, max_classes=3, change=dark):
        assert row.changed is not None
        above, below = (np.asarray(opened(address)).mean() for address in (row.strip, row.changed))
        assert below < above / 2
