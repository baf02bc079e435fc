"""Boxes of the photos that were read: of their upright pictures, inside them, or left out with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from discern.datasets.ingest.reader import PhotosRead
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.stated_size import Frame, Picture, fitted, frame_of, frames, reason, usual_frames
from discern.datasets.shards import ShardStore
from discern.sources.base import StatedSize
from discern.sources.orientation import UPRIGHT, orientation_of
from edge_runtime.core.images import Box


def with_fitted_boxes(photos_read: PhotosRead, store: ShardStore) -> PhotosRead:
    """Return the photos with their boxes in pixels of the upright picture and inside it; the others are rejected.

    Raises:
        DataError: a shard cannot be read.
    """
    pictures = _Pictures(photos_read, store)
    usual = pictures.usual_frames()
    result = replace(photos_read, photos=[], picture_rows=[], rejected=list(photos_read.rejected))
    for photo, row in zip(photos_read.photos, photos_read.picture_rows, strict=True):
        box = None if photo.box is None else _fitted(photo.box, photo.stated_size, pictures, row, usual)
        if isinstance(box, str):
            result.rejected.append(Rejected(photo.name, f"{photo.name}: {box}", "broken", photo.label))
        else:
            result.photos.append(replace(photo, box=box))
            result.picture_rows.append(row)
    return result


def _fitted(
    box: Box, stated: StatedSize | None, pictures: _Pictures, row: int, usual: Mapping[str, set[Frame]]
) -> Box | str:
    """Return a box of the upright picture, or the reason why it cannot be used."""
    width, height = pictures.sizes[row]
    if stated is not None:
        frames_of_source = usual.get(stated.stated_by, set())
        picture = pictures.picture(row, stated, is_turned="stored" in frames_of_source)
        frame = frame_of(stated, picture, frames_of_source)
        if frame is None:
            return reason(stated, picture)
        box = fitted(box, stated, picture, frame)
    return box_fault(box, width, height) or clipped(box, width, height)


class _Pictures:
    """The pictures of some photos, whose orientation is looked up only where it makes a difference."""

    def __init__(self, photos_read: PhotosRead, store: ShardStore) -> None:
        columns = (photos_read.pictures[name].to_pylist() for name in ("width", "height", "shard", "row"))
        widths, heights, self._shards, self._rows = columns
        self.sizes = list(zip(widths, heights, strict=True))
        self._photos_read, self._store = photos_read, store
        self._orientations: dict[int, int] = {}

    def picture(self, row: int, stated: StatedSize, *, is_turned: bool = False) -> Picture:
        """Return a picture; one of the stated size counts as upright unless the source's others had to be turned."""
        is_stated = self.sizes[row] == (stated.width, stated.height)
        needs_orientation = is_turned or not is_stated or stated.orientation not in {None, UPRIGHT}
        return Picture(self.sizes[row], self._orientation(row) if needs_orientation else UPRIGHT)

    def usual_frames(self) -> Mapping[str, set[Frame]]:
        """Return the frames that each source's boxes are of, by the photos whose picture is turned and not square."""
        usual = usual_frames(self._seen(set()))
        turned = {source for source, of_source in usual.items() if "stored" in of_source}
        return usual_frames(self._seen(turned)) if turned else usual

    def _seen(self, turned: set[str]) -> Iterator[tuple[str, set[Frame]]]:
        """Yield source and possible frames of each photo whose picture is turned; all such in the sources `turned`."""
        for photo, row in zip(self._photos_read.photos, self._photos_read.picture_rows, strict=True):
            stated = photo.stated_size
            if photo.box is not None and stated is not None:
                picture = self.picture(row, stated, is_turned=stated.stated_by in turned)
                if picture.orientation != UPRIGHT:
                    yield stated.stated_by, frames(stated, picture)

    def _orientation(self, row: int) -> int:
        if row not in self._orientations:
            data = self._store.images(self._shards[row])[self._rows[row]].as_py()
            self._orientations[row] = orientation_of(data)
        return self._orientations[row]


def clipped(box: Box, width: int, height: int) -> Box:
    """Return the part of a box that lies inside its picture."""
    left, top, right, bottom = box
    return max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom)


def box_fault(box: Box, width: int, height: int) -> str | None:
    """Return the reason why nothing can be cut out by this box, or None."""
    left, top, right, bottom = box
    if not all(map(math.isfinite, box)):
        return f"the box {box} holds what is no number: draw it again, or remove it."
    if not left < right or not top < bottom:
        return f"the box {box} has no area: draw it again, or remove it."
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return f"the box {box} lies outside the picture of {width} x {height} pixels: draw it again, or remove it."
    return None
