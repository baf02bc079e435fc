"""Pictures that show (nearly) the same: found by a perceptual hash, confirmed by looking.

Two pictures are near-duplicates if their 64-bit perceptual hashes differ by few bits, their thumbnails of 32 pixels
agree both in structure (SSIM, Wang et al. 2004) and in correlation, and nothing in them differs locally: two things
before one fixed camera agree in all but a few pixels. `discern.datasets.ingest.local_change` has the last of these.

Where many hashes are near each other, as before a fixed camera, those whose `DETAIL`-pixel thumbnails are nearest are
looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from discern.datasets.ingest.local_change import COARSE, View, coarse_change, local_change
from edge_runtime.core.images import Pixels

DETAIL = 16  # pixels of the thumbnails by which crowds are told apart
MIN_CORRELATION = 0.95  # of two thumbnails; structure alone takes one thin drawing on white for another
SLACK = 1.5  # times the limit that a change may seem to be at a coarse look
BANDS = 8  # of 8 bits each: hashes that differ by at most 7 bits agree in at least one
MAX_DISTANCE = BANDS - 1
NEIGHBOURS = 16  # nearest candidates looked at for one picture and band; a burst is joined through its members
CHUNK = 512  # hashes compared with a whole bucket at once
AT_ONCE = 2048  # candidates looked at before those left are asked for again
KEPT = 4096  # views, of 58 kB each


@dataclass(frozen=True)
class Pair:
    """Two places of a list, and how alike the pictures there are.

    Args:
        first: a place.
        second: another.
        similarity: SSIM of the thumbnails, up to 1.
        change: largest local difference, see `local_change`; 0 for equal pictures.
    """

    first: int
    second: int
    similarity: float
    change: float


class Pictures:
    """The pictures of a list, scaled down for comparing; some are kept.

    Args:
        pixels: the picture at a place, uint8 [h, w, 3]; called from several threads.
    """

    def __init__(self, pixels: Callable[[int], Pixels]) -> None:
        self._pixels = pixels
        self._views: dict[int, View] = {}
        self._details: dict[int, NDArray[np.float32]] = {}

    def views(self, places: Sequence[int]) -> dict[int, View]:
        """Return the pictures at some places, by place."""
        if len(self._views) > KEPT:
            self._views.clear()
        missing = [place for place in places if place not in self._views]
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the interpreter's lock
            self._views |= zip(missing, pool.map(lambda place: View.of(self._pixels(place)), missing), strict=True)
        return {place: self._views[place] for place in places}

    def details(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return small thumbnails of one mean brightness at some places, [n, d]."""
        wanted = places.tolist()
        for start in range(0, len(wanted), CHUNK):
            missing = [place for place in wanted[start : start + CHUNK] if place not in self._details]
            for place, view in self.views(missing).items():
                self._details[place] = _detail(view)
        return np.stack([self._details[place] for place in wanted])


def candidates(
    hashes: NDArray[np.uint64], fresh: NDArray[np.bool_], max_distance: int, pictures: Pictures
) -> NDArray[np.int64]:
    """Pairs of pictures whose hashes are near.

    Args:
        hashes: uint64 [n].
        fresh: bool [n]; a pair has at least one fresh picture.
        max_distance: bits, at most `MAX_DISTANCE`.
        pictures: the n pictures; looked at only where more hashes are near one than are to be looked at.

    Returns:
        int64 [m, 2], rising in both columns, each pair once.
    """
    octets = hashes.astype(">u8").view(np.uint8).reshape(-1, BANDS)
    signs = np.unpackbits(octets, axis=1).astype(np.float32) * 2 - 1
    found = [np.empty((0, 2), np.int64)]
    for band in range(BANDS):
        order = np.argsort(octets[:, band], kind="stable")
        starts = np.flatnonzero(np.diff(octets[order, band], prepend=-1))
        for members in np.split(order, starts[1:]):
            bucket = _Bucket(signs, members, members[fresh[members]])
            found += list(_near(bucket, max_distance, pictures))
    pairs = np.concatenate(found)
    return np.unique(np.sort(pairs, axis=1), axis=0)


def confirm(
    pairs: NDArray[np.int64],
    pictures: Pictures,
    min_similarity: float,
    max_change: float,
    joined: Callable[[int, int], bool],
) -> Iterator[Pair]:
    """Look at candidates and keep what is alike.

    Args:
        pairs: int64 [m, 2].
        pictures: the pictures.
        min_similarity: least SSIM of the thumbnails.
        max_change: largest local difference.
        joined: whether a pair need not be looked at any more.
    """
    for start in range(0, len(pairs), AT_ONCE):
        some = [
            (first, second) for first, second in pairs[start : start + AT_ONCE].tolist() if not joined(first, second)
        ]
        views = pictures.views(sorted({place for pair in some for place in pair}))
        for first, second in some:
            if joined(first, second):
                continue
            pair = _compared(first, second, views, max_change)
            if pair and pair.similarity >= min_similarity:
                yield pair


def _compared(first: int, second: int, views: Mapping[int, View], max_change: float) -> Pair | None:
    """Compare two pictures; None where more changes between them, or they do not correlate."""
    from skimage.metrics import structural_similarity  # takes a while to import

    one, other = views[first], views[second]
    if coarse_change(one, other) > SLACK * max_change or correlation(one.coarse, other.coarse) < MIN_CORRELATION:
        return None
    change = local_change(one, other)
    if change > max_change:
        return None
    similarity = float(structural_similarity(one.coarse, other.coarse, channel_axis=2, data_range=255))
    return Pair(first, second, similarity, change)


def _detail(view: View) -> NDArray[np.float32]:
    small = np.asarray(Image.fromarray(view.coarse).reduce(COARSE // DETAIL), np.float32).ravel()
    return small / max(1.0, float(small.mean()))


def correlation(one: Pixels, other: Pixels) -> float:
    """Pearson's correlation of two thumbnails; 1 for two equal ones, flat or not."""
    if np.array_equal(one, other):
        return 1.0
    a, b = (x.astype(np.float64).ravel() - x.mean() for x in (one, other))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


@dataclass(frozen=True)
class _Bucket:
    """Pictures that agree in one band of their hashes.

    Args:
        signs: the hashes of all pictures as -1 and 1, [n, 64].
        members: places of the bucket's pictures.
        fresh: those of them that are fresh.
    """

    signs: NDArray[np.float32]
    members: NDArray[np.int64]
    fresh: NDArray[np.int64]


def _near(bucket: _Bucket, max_distance: int, pictures: Pictures) -> Iterator[NDArray[np.int64]]:
    """Pairs of a fresh member with its nearest other members, [m, 2]."""
    members, signs = bucket.members, bucket.signs
    if len(members) < 2:
        return
    details: NDArray[np.float32] | None = None
    for start in range(0, len(bucket.fresh), CHUNK):
        asked = bucket.fresh[start : start + CHUNK]
        distances = (signs.shape[1] - signs[asked] @ signs[members].T) / 2  # Hamming, of vectors of -1 and 1
        distances[asked[:, None] == members[None]] = np.inf
        close = distances <= max_distance
        crowded = np.flatnonzero(close.sum(axis=1) > NEIGHBOURS)
        if len(crowded):
            details = pictures.details(members) if details is None else details
            close[crowded] = _nearest(pictures.details(asked[crowded]), details, close[crowded])
        rows, columns = np.nonzero(close)
        yield np.stack([asked[rows], members[columns]], axis=1)


def _nearest(own: NDArray[np.float32], details: NDArray[np.float32], close: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each row's close members keep those that look most like it, bool [rows, members]."""
    apart = (details**2).sum(axis=1)[None] - 2 * own @ details.T  # squared distance but for a constant of the row
    apart[~close] = np.inf
    kept = np.zeros_like(close)
    np.put_along_axis(kept, np.argpartition(apart, NEIGHBOURS, axis=1)[:, :NEIGHBOURS], True, axis=1)
    return kept
