from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.quality.review.photo_book import SMALL, PhotoBook
from discern.sources.base import Photo
from edge_runtime.core.images import decode
from tests.discern.pictures import jpeg, photos


def test_a_photo_in_a_box_is_shown_cut_out_and_linked_whole(tmp_path: Path) -> None:
    given = [*photos(12, 9), Photo("a/scene.jpg", "c03", jpeg(5, 200), box=(10.0, 20.0, 60.0, 70.0), split="test")]
    version, _ = write_version(given, str(tmp_path / "shards"))
    book = PhotoBook(version)
    (shown,) = book.photos([version.column("source").index("a/scene.jpg")])
    assert (shown.caption, shown.name, shown.picture.alt) == ("c03", "scene.jpg", "c03: scene.jpg")
    assert (shown.picture.width, shown.picture.height) == (50, 50)
    large = decode(book.files[shown.picture.large])
    assert large.shape == (200, 200, 3)
    edge = large[20, 20:50].mean(axis=0)
    assert edge[0] > edge[1] + 60  # the box is drawn, in red


def test_a_large_photo_is_made_small(tmp_path: Path) -> None:
    given = [*photos(12, 9), Photo("wide.jpg", "c03", jpeg(5, 600))]
    version, _ = write_version(given, str(tmp_path / "shards"))
    book = PhotoBook(version)
    (shown,) = book.photos([version.column("source").index("wide.jpg")], large=False)
    assert Image.open(io.BytesIO(shown.picture.data)).size == (SMALL, SMALL)
    assert list(book.files) == [shown.picture.path]


def test_a_page_that_is_one_file_holds_the_pictures_that_come_first(version: DatasetVersion) -> None:
    book = PhotoBook(version)
    first, second, third = (photo.picture for photo in book.photos([0, 20, 40]))
    room = len(first.data) + len(second.data)
    assert book.first_pictures(room) == {first.path, second.path}
    assert third.path in book.first_pictures(room + len(third.data))
    assert book.first_pictures(0) == frozenset()
