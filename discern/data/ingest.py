"""Photos in, a dataset version out.

Rules kept:
- photos stream: besides their rows, no more than one shard of them is in memory;
- every photo is decoded once, so that what is broken is refused here and not in the middle of a training;
- an error leaves nothing behind: the shards that this call wrote are removed;
- equal photos in equal order give equal shards and an equal version.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from discern.data.manifest import SCHEMA, DatasetVersion
from discern.data.photos import Photo
from discern.data.shards import ShardStore
from discern.data.splits import Sample, SplitConfig, assign
from discern.errors import DataError
from edge_runtime.errors import ImageError
from edge_runtime.images import Box, crop, decode


@dataclass(frozen=True)
class Rejected:
    """A photo that is not in the version, and why: it is broken, or the version holds it already."""

    name: str
    reason: str
    kind: Literal["broken", "duplicate"] = "broken"


@dataclass(frozen=True)
class ShardLimits:
    """When a shard is full, whichever comes first."""

    max_bytes: int = 64 * 1024 * 1024  # bytes of encoded images
    max_photos: int = 8192


def write_version(
    photos: Iterable[Photo],
    shards: str,
    *,
    source: str = "",
    splits: SplitConfig | None = None,
    max_rejected_share: float = 0.0,
    limits: ShardLimits | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[DatasetVersion, list[Rejected]]:
    """Store photos as shards and describe them in a new version.

    Args:
        photos: the photos; taken one at a time.
        shards: fsspec URL or path of the folder of shards.
        source: name of the source; the manifest holds `source/photo name`.
        splits: how photos without a split of their own are split; the defaults if None.
        max_rejected_share: share of broken photos, 0 to 1, above which the call fails.
        limits: how large a shard gets.
        progress: called with the number of photos taken so far.

    Returns:
        The version, and the photos that are not in it.

    Raises:
        DataError: the source fails, too many photos are broken, one picture has two labels, or the splits do not fit.
    """
    writer = _ShardWriter(ShardStore(shards), limits or ShardLimits())
    try:
        rows, rejected, taken = _store(photos, writer, progress)
        _check_share(rejected, taken, max_rejected_share)
        names = writer.finish()
        return DatasetVersion(_table(rows, names, source, splits or SplitConfig()), writer.store.url), rejected
    except BaseException:
        writer.undo()
        raise


@dataclass(frozen=True)
class _Row:
    photo: Photo  # without its bytes
    sha256: str
    place: tuple[int, int]  # number of the shard, row in it


@dataclass
class _ShardWriter:
    """Collects images and writes a shard whenever one is full."""

    store: ShardStore
    limits: ShardLimits
    names: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    pending: list[bytes] = field(default_factory=list)
    pending_bytes: int = 0

    def add(self, data: bytes) -> tuple[int, int]:
        if self.pending and (
            self.pending_bytes + len(data) > self.limits.max_bytes or len(self.pending) >= self.limits.max_photos
        ):
            self._flush()
        self.pending.append(data)
        self.pending_bytes += len(data)
        return len(self.names), len(self.pending) - 1

    def finish(self) -> list[str]:
        if self.pending:
            self._flush()
        return self.names

    def undo(self) -> None:
        self.store.remove(self.created)

    def _flush(self) -> None:
        name, new = self.store.write(self.pending)
        self.names.append(name)
        if new:
            self.created.append(name)
        self.pending, self.pending_bytes = [], 0


def _store(
    photos: Iterable[Photo], writer: _ShardWriter, progress: Callable[[int], None] | None
) -> tuple[list[_Row], list[Rejected], int]:
    rows: dict[tuple[str, Box | None], _Row] = {}
    places: dict[str, tuple[int, int]] = {}
    rejected: list[Rejected] = []
    taken = 0
    for taken, (photo, sha256, fault) in enumerate(_examined(photos), start=1):
        if progress:
            progress(taken)
        if fault:
            rejected.append(Rejected(photo.name, fault))
        elif earlier := rows.get((sha256, photo.box)):
            rejected.append(_duplicate(photo, earlier.photo))
        else:
            if sha256 not in places:
                places[sha256] = writer.add(photo.load())
            rows[sha256, photo.box] = _Row(_without_data(photo), sha256, places[sha256])
    return list(rows.values()), rejected, taken


def _examined(photos: Iterable[Photo]) -> Iterator[tuple[Photo, str, str | None]]:
    """Each photo with its hash and what is wrong with it, in order; decoding runs some photos ahead."""
    workers = os.cpu_count() or 1
    ahead: deque[tuple[Photo, Future[tuple[str, str | None]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:  # Pillow decodes without the interpreter's lock
        for photo in photos:
            ahead.append((photo, pool.submit(_examine, photo)))
            if len(ahead) > 2 * workers:
                first, result = ahead.popleft()
                yield first, *result.result()
        while ahead:
            first, result = ahead.popleft()
            yield first, *result.result()


def _examine(photo: Photo) -> tuple[str, str | None]:
    data = photo.load()
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        rgb = decode(data, photo.name)
        if photo.box is not None:
            crop(rgb, photo.box)
    except ImageError as error:
        message = str(error)
        return sha256, message if photo.name in message else f"{photo.name}: {message}"
    return sha256, None


def _duplicate(photo: Photo, earlier: Photo) -> Rejected:
    if photo.label != earlier.label:
        raise DataError(
            f"{earlier.name} and {photo.name} are the same picture under two labels ({earlier.label!r} and "
            f"{photo.label!r}): keep it where it belongs and delete the other."
        )
    return Rejected(photo.name, f"{photo.name} is the same picture as {earlier.name}.", "duplicate")


def _without_data(photo: Photo) -> Photo:
    return Photo(photo.name, photo.label, b"", photo.box, photo.split, photo.role, photo.group, photo.captured_at)


def _check_share(rejected: list[Rejected], taken: int, max_share: float) -> None:
    if not taken:
        raise DataError("the source has no photos: point it at some.")
    broken = [one for one in rejected if one.kind == "broken"]
    if len(broken) > max_share * taken:
        raise DataError(
            f"{broken[0].reason.rstrip('.')} ({len(broken)} of {taken} photos cannot be used, {max_share:.1%} may be: "
            "mend or remove them, or raise max_rejected_share)."
        )
    if len(broken) == taken:
        raise DataError(f"{broken[0].reason.rstrip('.')} (none of the {taken} photos can be used).")


def _table(rows: list[_Row], shards: list[str], source: str, splits: SplitConfig) -> pa.Table:
    samples = [Sample(r.photo.label, r.sha256, r.photo.group, r.photo.split, r.photo.role) for r in rows]
    assigned = assign(samples, splits)
    prefix = f"{source}/" if source else ""
    columns = {
        "sha256": [row.sha256 for row in rows],
        "shard": [shards[row.place[0]] for row in rows],
        "row": [row.place[1] for row in rows],
        "label": [row.photo.label for row in rows],
        "box": [row.photo.box for row in rows],
        "split": [split for split, _ in assigned],
        "role": [role for _, role in assigned],
        "source": [prefix + row.photo.name for row in rows],
        "group": [row.photo.group for row in rows],
        "captured_at": [row.photo.captured_at for row in rows],
    }
    return pa.table(columns, schema=SCHEMA)
