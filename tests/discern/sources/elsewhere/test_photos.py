from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest

from discern.errors import DataError
from discern.sources.elsewhere import photos
from discern.sources.elsewhere.photos import RENDERED, elsewhere_photos
from edge_runtime.core.images import Preprocessing
from tests.discern.pictures import fill, jpeg

SMALL = Preprocessing(32)


def test_rendered_photos_are_the_same_every_time_and_all_different() -> None:
    pixels = elsewhere_photos(None, SMALL)
    assert pixels.shape == (RENDERED, 32, 32, 3)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, elsewhere_photos(None, SMALL))
    assert len({photo.tobytes() for photo in pixels}) == RENDERED


def test_photos_of_a_folder_and_of_its_archive(tmp_path: Path) -> None:
    folder = fill(tmp_path / "others", classes=2, each=3)
    (folder / "loose.jpg").write_bytes(jpeg(99))
    (folder / "notes.txt").write_text("no photo")
    pixels = elsewhere_photos(str(folder), SMALL)
    assert pixels.shape == (7, 32, 32, 3)
    with zipfile.ZipFile(tmp_path / "others.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    assert np.array_equal(elsewhere_photos(str(tmp_path / "others.zip"), SMALL), pixels)


def test_of_many_photos_some_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "MOST", 5)
    folder = fill(tmp_path / "others", classes=4, each=4)
    drawn = elsewhere_photos(str(folder), SMALL)
    assert len(drawn) == 5
    assert np.array_equal(elsewhere_photos(str(folder), SMALL), drawn)


def test_a_damaged_photo_is_told_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = fill(tmp_path / "others", classes=1, each=3)
    (folder / "c00" / "1.jpg").write_bytes(jpeg(1)[:200])
    with caplog.at_level(logging.WARNING):
        assert len(elsewhere_photos(str(folder), SMALL)) == 2
    (record,) = caplog.records
    assert "1 photo from elsewhere" in record.getMessage()
    assert "c00/1.jpg is damaged" in record.getMessage()


def test_a_folder_without_photos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no photos: put photos .* or name none, for rendered ones"):
        elsewhere_photos(str(tmp_path), SMALL)
    with pytest.raises(DataError, match="does not exist"):
        elsewhere_photos(str(tmp_path / "nowhere"), SMALL)
    (tmp_path / "1.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"none of the photos from elsewhere .* 1\.jpg is not a picture"):
        elsewhere_photos(str(tmp_path), SMALL)
