"""Thumbnails of photos, each decoded once however often it is shown."""

from __future__ import annotations

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import THUMBNAIL
from edge_runtime.core.images import Pixels


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
