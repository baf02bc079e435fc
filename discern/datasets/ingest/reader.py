"""Every photo of a source, read and measured once, and not at all if its picture is known and unchanged.

Rules kept:
- photos stream: besides their rows, no more than one shard of them and a few dozen ahead are in memory;
- a photo whose stamp is unchanged is neither read nor decoded again;
- a picture is stored once, however many things it shows.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pyarrow as pa

from discern.datasets.ingest.image_facts import ImageFacts, measure_photo
from discern.datasets.ingest.rejected import Kind, Rejected
from discern.datasets.ingest.reuse import KNOWN, KnownImages
from discern.datasets.ingest.withdrawals import Withdrawals
from discern.datasets.ingest.writer import PictureWriter
from discern.errors import DataError
from discern.sources.base import Photo

READERS = 8  # threads at least: photos of a network are waited for, not computed
AHEAD = 2  # photos of each thread that are read before they are needed


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why a photo cannot be used."""

    kind: Kind
    reason: str


Reading = Refusal | int | tuple[bytes, ImageFacts]  # an int is the row of a known picture
_PendingReading = Refusal | int | Future[tuple[bytes, ImageFacts | str]]


@dataclass
class PhotosRead:
    """The photos of a source, and their pictures.

    Args:
        photos: [n] those that can be used, in order; none holds its bytes.
        picture_rows: [n] the row of each one's picture in `pictures`.
        pictures: rows of `KNOWN`: the known ones, in their order, then the new ones.
        rejected: those that cannot be used.
        taken: number of all photos.
    """

    photos: list[Photo] = field(default_factory=list)
    picture_rows: list[int] = field(default_factory=list)
    pictures: pa.Table = field(default_factory=KNOWN.empty_table)
    rejected: list[Rejected] = field(default_factory=list)
    taken: int = 0


def read(
    photos: Iterable[Photo],
    writer: PictureWriter,
    known: KnownImages,
    progress: Callable[[int], None] | None = None,
    withdrawn: Withdrawals | None = None,
    *,
    keep_unlabelled: bool = False,
) -> PhotosRead:
    """Read, measure and store photos.

    Args:
        photos: the photos; taken one at a time.
        writer: takes the pictures; what is pending at the end is written.
        known: pictures that need not be read again.
        progress: called with the number of photos taken so far.
        withdrawn: which photos are left out unread, and why.
        keep_unlabelled: read unlabelled photos as well; they are rejected otherwise.

    Raises:
        DataError: the source fails, or the shards cannot be written.
    """
    result = PhotosRead()
    pictures = _Pictures(writer, known)
    try:
        for photo, reading in _readings(photos, known, withdrawn or Withdrawals(), keep_unlabelled):
            result.taken += 1
            if progress:
                progress(result.taken)
            _add(result, pictures, photo, reading)
    finally:
        writer.flush()
    result.pictures = pa.concat_tables([known.pictures, writer.table()])
    return result


def _add(result: PhotosRead, pictures: _Pictures, photo: Photo, reading: Reading) -> None:
    if isinstance(reading, Refusal):
        result.rejected.append(Rejected(photo.name, reading.reason, reading.kind, photo.label, box=photo.box))
        return
    result.photos.append(photo if callable(photo.data) else replace(photo, data=b""))
    result.picture_rows.append(pictures.row(photo, reading))


class _Pictures:
    """All pictures, known and new; a new one is written once."""

    def __init__(self, writer: PictureWriter, known: KnownImages) -> None:
        self._writer, self._known = writer, known
        self._new: dict[str, int] = {}  # sha256 -> row

    def row(self, photo: Photo, reading: int | tuple[bytes, ImageFacts]) -> int:
        """Return the row of a photo's picture."""
        if isinstance(reading, int):
            return reading
        data, facts = reading
        if (known_row := self._known.holding(facts.sha256)) is not None:
            return known_row
        if facts.sha256 not in self._new:
            self._writer.add(data, facts, photo)
            self._new[facts.sha256] = self._known.pictures.num_rows + len(self._new)
        return self._new[facts.sha256]


def _readings(
    photos: Iterable[Photo], known: KnownImages, withdrawn: Withdrawals, keep_unlabelled: bool
) -> Iterator[tuple[Photo, Reading]]:
    """Yield each photo with its reading, in order; some are read ahead."""
    workers = max(READERS, os.cpu_count() or 1)
    ahead: deque[tuple[Photo, _PendingReading]] = deque()
    with ThreadPoolExecutor(workers) as pool:  # Pillow decodes without the interpreter's lock
        try:
            for photo in photos:
                refusal = _refusal(photo, withdrawn, keep_unlabelled)
                ahead.append((photo, refusal or _started(photo, known, pool)))
                while len(ahead) > AHEAD * workers:
                    yield _finished(*ahead.popleft())
        except DataError:
            yield from _drained(ahead)  # photos that were read are not to be read again by the next run
            raise
        yield from _drained(ahead)


def _drained(ahead: deque[tuple[Photo, _PendingReading]]) -> Iterator[tuple[Photo, Reading]]:
    while ahead:
        yield _finished(*ahead.popleft())


def _refusal(photo: Photo, withdrawn: Withdrawals, keep_unlabelled: bool) -> Refusal | None:
    if (why := withdrawn.reason(photo)) is not None:
        return Refusal("withdrawn", why)
    if photo.fault is not None:
        return Refusal("broken", photo.fault)
    if photo.kind == "unlabelled" and not keep_unlabelled:
        reason = photo.note or f"{photo.name} has no label: say what it shows, or take it out."
        return Refusal("unlabelled", reason)
    return None


def _started(photo: Photo, known: KnownImages, pool: ThreadPoolExecutor) -> _PendingReading:
    known_row = known.unchanged(photo)
    return pool.submit(measure_photo, photo) if known_row is None else known_row


def _finished(photo: Photo, pending: _PendingReading) -> tuple[Photo, Reading]:
    if not isinstance(pending, Future):
        return photo, pending
    data, facts = pending.result()
    if isinstance(facts, str):
        return photo, Refusal("broken", facts)
    return photo, (data, facts)
