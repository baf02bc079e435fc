"""Thumbnails of photos, each decoded once however often it is shown."""

from __future__ import annotations

from collections.abc import Callable

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import THUMBNAIL
from edge_runtime.core.images import Pixels, decode
from edge_runtime.core.release import Release


class Thumbnails:
    """Photos of a dataset version at thumbnail size, kept in memory."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], Pixels] = {}

    def of(self, rows: DatasetVersion, row: int) -> Pixels:
        """Return the photo of row number `row` of `rows` at thumbnail size, uint8 [96, 96, 3].

        Raises:
            DataError: its shard is missing, damaged or out of reach.
        """
        # Two rows of one picture differ by their boxes.
        key = rows.table["sha256"][row].as_py(), tuple(rows.table["box"][row].as_py() or ())
        if key not in self._made:
            self._made[key] = THUMBNAIL.apply(rows.pixels(row))
        return self._made[key]


def class_photos(release: Release, version: DatasetVersion, thumbnails: Thumbnails) -> Callable[[str], Pixels]:
    """Return what gives a photo of a class by its label: the release's reference picture, or an unknown's first photo.

    Args:
        release: carries a reference picture of each class that it enrols.
        version: holds a photo of every other class that is asked for.
        thumbnails: takes the photos of `version`.
    """
    class_number = {label: number for number, label in enumerate(release.labels)}
    first_row: dict[str, int] = {}
    for row, label in enumerate(version.column("label")):
        first_row.setdefault(label, row)

    def photo_of(label: str) -> Pixels:
        if label in class_number:
            return decode(release.thumbnail(class_number[label]), label)
        return thumbnails.of(version, first_row[label])

    return photo_of
