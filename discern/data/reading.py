"""Every photo of a source, read and measured once, and not at all if the version before holds it unchanged.

Rules kept:
- photos stream: besides their rows, no more than one shard of them and a few dozen ahead are in memory;
- what a photo's stamp says is unchanged since the version before is neither read nor decoded again;
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

from discern.data.examine import Facts, examine_photo
from discern.data.manifest import SCHEMA, DatasetVersion
from discern.data.photos import Photo
from discern.data.rejected import Rejected
from discern.data.shards import ShardStore
from edge_runtime.images import Box

READERS = 8  # threads at least: photos of a network are waited for, not computed
AHEAD = 2  # photos of each thread that are read before they are asked for
FACTS = pa.schema(
    [
        SCHEMA.field(name)
        for name in (
            "sha256", "shard", "row", "width", "height", "brightness", "sharpness", "phash", "captured_at"
        )
    ]
)  # fmt: skip
BATCH = 4096  # rows of facts that are kept as Python objects


@dataclass(frozen=True)
class ShardLimits:
    """When a shard is full, whichever comes first."""

    max_bytes: int = 64 * 1024 * 1024  # bytes of encoded images
    max_photos: int = 8192


class Before:
    """What the version before knows of pictures.

    Args:
        version: the version, or None for nothing.
        source: name of the source that is read.
        store: where new shards go; what lies in another place is not reused.
    """

    def __init__(self, version: DatasetVersion | None, source: str, store: ShardStore) -> None:
        usable = version is not None and version.shards == store.url
        self.table = version.table if usable and version is not None else SCHEMA.empty_table()
        prefix = f"{source}/" if source else ""
        names = (name.removeprefix(prefix) for name in self.table["source"].to_pylist())
        # The source's name goes for one that has another place now: stamps tell whether anything changed.
        self._stamped = {key: i for i, key in enumerate(zip(names, self.table["stamp"].to_pylist(), strict=True))}
        self._pictures = {sha256: i for i, sha256 in enumerate(self.table["sha256"].to_pylist())}

    def unchanged(self, photo: Photo) -> int | None:
        """A row with the very picture of `photo`, if its stamp tells so."""
        return None if photo.stamp is None else self._stamped.get((photo.name, photo.stamp))

    def holding(self, sha256: str) -> int | None:
        """A row with this picture."""
        return self._pictures.get(sha256)


@dataclass
class Read:
    """What came out of reading.

    Args:
        photos: [n] those that can be used, in order, without their bytes.
        places: [n] the row of each one's picture in `facts`.
        facts: table of `FACTS`: the pictures of the version before, in its order, then the new ones.
        rejected: those that cannot be used.
        taken: how many there were, all told.
    """

    photos: list[Photo] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    facts: pa.Table = field(default_factory=FACTS.empty_table)
    rejected: list[Rejected] = field(default_factory=list)
    taken: int = 0


class ShardWriter:
    """Collects images and writes a shard whenever one is full."""

    def __init__(self, store: ShardStore, limits: ShardLimits) -> None:
        self.store, self.limits = store, limits
        self.names: list[str] = []
        self._created: list[str] = []
        self._pending: list[bytes] = []
        self._bytes = 0

    def add(self, data: bytes) -> tuple[int, int]:
        """Take one image; returns the number of its shard and its row there."""
        if self._pending and (
            self._bytes + len(data) > self.limits.max_bytes or len(self._pending) >= self.limits.max_photos
        ):
            self.flush()
        self._pending.append(data)
        self._bytes += len(data)
        return len(self.names), len(self._pending) - 1

    def flush(self) -> None:
        """Write what is pending."""
        if not self._pending:
            return
        name, new = self.store.write(self._pending)
        self.names.append(name)
        if new:
            self._created.append(name)
        self._pending, self._bytes = [], 0

    def undo(self) -> None:
        """Take back the shards that are new."""
        self.store.remove(self._created)


class _Facts:
    """Facts of the pictures of the version before, then of new ones, kept compactly."""

    def __init__(self, before: pa.Table) -> None:
        self._before = before.select(FACTS.names)
        self._sizes = [before[name].to_numpy() for name in ("width", "height")]
        self._batches: list[pa.RecordBatch] = []
        self._pending: list[dict[str, object]] = []
        self.count = before.num_rows

    def size(self, place: int) -> tuple[int, int]:
        """Width and height of a picture of the version before."""
        width, height = (int(side[place]) for side in self._sizes)
        return width, height

    def add(self, facts: Facts, shard: int, row: int) -> int:
        """Take one; returns its place. The shard is a number as long as it has no name."""
        self._pending.append(
            {**{name: getattr(facts, name) for name in facts.__slots__}, "shard": str(shard), "row": row}
        )
        self.count += 1
        if len(self._pending) >= BATCH:
            self._pack()
        return self.count - 1

    def table(self, shards: list[str]) -> pa.Table:
        """All of them; `shards` are the names of the new shards by number."""
        self._pack()
        new = pa.Table.from_batches(self._batches, FACTS)
        names = pa.array(shards, pa.string()).take(new["shard"].cast(pa.int64()).combine_chunks())
        new = new.set_column(FACTS.get_field_index("shard"), FACTS.field("shard"), names)
        return pa.concat_tables([self._before, new])

    def _pack(self) -> None:
        self._batches.append(pa.RecordBatch.from_pylist(self._pending, FACTS))
        self._pending = []


def read(
    photos: Iterable[Photo], writer: ShardWriter, before: Before, progress: Callable[[int], None] | None = None
) -> Read:
    """Read, measure and store photos.

    Args:
        photos: the photos; taken one at a time.
        writer: takes the images; what is pending at the end is written.
        before: what need not be read again.
        progress: called with the number of photos taken so far.

    Raises:
        DataError: the source fails, or the shards cannot be written.
    """
    facts = _Facts(before.table)
    new: dict[str, tuple[int, tuple[int, int]]] = {}  # sha256 of a new picture -> its place and size
    found = Read()
    for photo, answer in _answers(photos, before):
        found.taken += 1
        if progress:
            progress(found.taken)
        if isinstance(answer, str):
            found.rejected.append(Rejected(photo.name, answer, "broken" if photo.label else "unlabelled", photo.label))
            continue
        if isinstance(answer, int):
            place, size = answer, facts.size(answer)
        else:
            data, told = answer
            if (known := before.holding(told.sha256)) is not None:
                place, size = known, facts.size(known)
            else:
                if told.sha256 not in new:
                    new[told.sha256] = facts.add(told, *writer.add(data)), (told.width, told.height)
                place, size = new[told.sha256]
        if photo.box is not None and (fault := box_fault(photo.box, *size)):
            found.rejected.append(Rejected(photo.name, f"{photo.name}: {fault}", "broken", photo.label))
            continue
        found.photos.append(replace(photo, data=b""))
        found.places.append(place)
    writer.flush()
    found.facts = facts.table(writer.names)
    return found


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


def _answers(photos: Iterable[Photo], before: Before) -> Iterator[tuple[Photo, int | str | tuple[bytes, Facts]]]:
    """Each photo, in order, with its row in the version before, what is wrong with it, or its bytes and facts."""
    workers = max(READERS, os.cpu_count() or 1)
    ahead: deque[tuple[Photo, int | str | Future[tuple[bytes, Facts | str]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:  # Pillow decodes without the interpreter's lock
        for photo in photos:
            if photo.label is None:
                ahead.append((photo, f"{photo.name} has no label: say what it shows, or take it out."))
            elif (row := before.unchanged(photo)) is not None:
                ahead.append((photo, row))
            else:
                ahead.append((photo, pool.submit(examine_photo, photo)))
            while len(ahead) > AHEAD * workers:
                yield _settled(*ahead.popleft())
        while ahead:
            yield _settled(*ahead.popleft())


def _settled(
    photo: Photo, answer: int | str | Future[tuple[bytes, Facts | str]]
) -> tuple[Photo, int | str | tuple[bytes, Facts]]:
    if not isinstance(answer, Future):
        return photo, answer
    data, told = answer.result()
    return photo, told if isinstance(told, str) else (data, told)
