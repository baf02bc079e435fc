"""Every photo of a source, read and measured once, and not at all if its picture is known and unchanged.

Rules kept:
- photos stream: besides their rows, no more than one shard of them and a few dozen ahead are in memory;
- what a photo's stamp says is unchanged is neither read nor decoded again;
- a picture is stored once, however many things it shows.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pyarrow as pa

from discern.datasets.ingest.image_facts import ImageFacts, measure_photo
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.reuse import KNOWN, KnownImages
from discern.datasets.ingest.writer import PictureWriter
from discern.errors import DataError
from discern.sources.base import Photo
from edge_runtime.core.images import Box

READERS = 8  # threads at least: photos of a network are waited for, not computed
AHEAD = 2  # photos of each thread that are read before they are asked for

ReadResult = (
    int | str | tuple[bytes, ImageFacts]
)  # the place of a known picture, what is wrong, or a picture and its facts
_Asked = int | str | Future[tuple[bytes, ImageFacts | str]]


@dataclass
class Read:
    """What came out of reading.

    Args:
        photos: [n] those that can be used, in order; none holds its bytes.
        places: [n] the row of each one's picture in `pictures`.
        pictures: rows of `KNOWN`: what was known, in its order, then what is new.
        rejected: those that cannot be used.
        taken: how many there were, all told.
    """

    photos: list[Photo] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    pictures: pa.Table = field(default_factory=KNOWN.empty_table)
    rejected: list[Rejected] = field(default_factory=list)
    taken: int = 0


def read(
    photos: Iterable[Photo], writer: PictureWriter, known: KnownImages, progress: Callable[[int], None] | None = None
) -> Read:
    """Read, measure and store photos.

    Args:
        photos: the photos; taken one at a time.
        writer: takes the pictures; what is pending at the end is written.
        known: what need not be read again.
        progress: called with the number of photos taken so far.

    Raises:
        DataError: the source fails, or the shards cannot be written.
    """
    found = Read()
    pictures = _Places(writer, known)
    try:
        for photo, answer in _answers(photos, known):
            found.taken += 1
            if progress:
                progress(found.taken)
            _take(found, pictures, photo, answer)
    finally:
        writer.flush()
    found.pictures = pa.concat_tables([known.pictures, writer.table()])
    return found


def _take(found: Read, pictures: _Places, photo: Photo, answer: ReadResult) -> None:
    if isinstance(answer, str):
        found.rejected.append(Rejected(photo.name, answer, "broken" if photo.label else "unlabelled", photo.label))
        return
    place, (width, height) = pictures.of(photo, answer)
    if photo.box is not None and (fault := box_fault(photo.box, width, height)):
        found.rejected.append(Rejected(photo.name, f"{photo.name}: {fault}", "broken", photo.label))
        return
    if photo.box is not None:
        photo = replace(photo, box=clipped(photo.box, width, height))
    found.photos.append(photo if callable(photo.data) else replace(photo, data=b""))
    found.places.append(place)


def clipped(box: Box, width: int, height: int) -> Box:
    """The part of a box that lies inside its picture."""
    left, top, right, bottom = box
    return max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom)


def box_fault(box: Box, width: int, height: int) -> str | None:
    """Why nothing can be cut out by this box, or None."""
    left, top, right, bottom = box
    if not all(map(math.isfinite, box)):
        return f"the box {box} holds what is no number: draw it again, or remove it."
    if not left < right or not top < bottom:
        return f"the box {box} has no area: draw it again, or remove it."
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return f"the box {box} lies outside the picture of {width} x {height} pixels: draw it again, or remove it."
    return None


class _Places:
    """Where each picture is: known, or new and then written once."""

    def __init__(self, writer: PictureWriter, known: KnownImages) -> None:
        self._writer, self._known = writer, known
        self._new: dict[str, tuple[int, tuple[int, int]]] = {}  # sha256 -> place, width and height

    def of(self, photo: Photo, answer: int | tuple[bytes, ImageFacts]) -> tuple[int, tuple[int, int]]:
        """Place, and width and height, of a photo's picture."""
        if isinstance(answer, int):
            return answer, self._known.size(answer)
        data, facts = answer
        if (place := self._known.holding(facts.sha256)) is not None:
            return place, self._known.size(place)
        if facts.sha256 not in self._new:
            self._writer.add(data, facts, photo)
            place = self._known.pictures.num_rows + len(self._new)
            self._new[facts.sha256] = place, (facts.width, facts.height)
        return self._new[facts.sha256]


def _answers(photos: Iterable[Photo], known: KnownImages) -> Iterator[tuple[Photo, ReadResult]]:
    """Each photo, in order, with what there is to say of it; some are read ahead."""
    workers = max(READERS, os.cpu_count() or 1)
    ahead: deque[tuple[Photo, _Asked]] = deque()
    with ThreadPoolExecutor(workers) as pool:  # Pillow decodes without the interpreter's lock
        try:
            for photo in photos:
                ahead.append((photo, _asked(photo, known, pool)))
                while len(ahead) > AHEAD * workers:
                    yield _settled(*ahead.popleft())
        except DataError:
            yield from _drained(ahead)  # what was read is not to be read again by the next run
            raise
        yield from _drained(ahead)


def _drained(ahead: deque[tuple[Photo, _Asked]]) -> Iterator[tuple[Photo, ReadResult]]:
    while ahead:
        yield _settled(*ahead.popleft())


def _asked(photo: Photo, known: KnownImages, pool: ThreadPoolExecutor) -> _Asked:
    if photo.label is None:
        return photo.note or f"{photo.name} has no label: say what it shows, or take it out."
    place = known.unchanged(photo)
    return pool.submit(measure_photo, photo) if place is None else place


def _settled(photo: Photo, answer: _Asked) -> tuple[Photo, ReadResult]:
    if not isinstance(answer, Future):
        return photo, answer
    data, told = answer.result()
    return photo, told if isinstance(told, str) else (data, told)
