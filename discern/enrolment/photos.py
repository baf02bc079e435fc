"""Photos that somebody wants to enrol, as the model of a release sees them.

A photo that is given twice under one label counts once, and near-duplicates are one picture: that one of them is found
by the other says nothing of what a device sees next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from discern.datasets.disjoint_sets import DisjointSets
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.image_facts import measure_shown
from discern.datasets.ingest.near_duplicates import Pictures, candidates, confirm
from discern.datasets.photo_set import THUMBNAIL
from discern.errors import DataError
from discern.evaluation.gallery import Vectors, embed_batches
from discern.map_ahead import map_ahead
from discern.releases.enrolment_data import EnrolledPhotos
from discern.sources.enrolled.ledger import OfferedPhoto
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels, decode
from edge_runtime.core.photo_limits import unusable
from edge_runtime.core.release import Release
from edge_runtime.errors import ImageError
from edge_runtime.files import sha256_bytes

Named = tuple[str, str]  # the label and the SHA-256 of a photo


@dataclass(frozen=True)
class NewPhotos:
    """Photos that were decoded and embedded.

    Attributes:
        names: n names.
        enrolled: the photos as a gallery holds them.
        thumbnails: n pictures, [96, 96, 3] uint8 each.
        faults: n sentences on why a photo cannot be used; "" where it can.
        pictures: n numbers; near-duplicates of one label have the same one, the place of the first of them.
        notes: n sentences on what else was given of the same picture; "" where nothing was.
    """

    names: list[str]
    enrolled: EnrolledPhotos
    thumbnails: list[Pixels]
    faults: list[str]
    pictures: list[int]
    notes: list[str]


@dataclass(frozen=True)
class _Seen:
    pixels: Pixels
    thumbnail: Pixels
    fault: str
    phash: int


def read_photos(release: Release, model: OnnxEmbedder, offered: Sequence[OfferedPhoto]) -> NewPhotos:
    """Decode, check and embed photos.

    Args:
        release: its preprocessing and its limits of photos count.
        model: its embedding model, loaded.
        offered: the photos; there may be none. One that is there twice under one label is read once.

    Raises:
        DataError: photos cannot be decoded; the sentence names all of them.
    """
    once, times = _each_once(offered)
    looks = [look for _, look in map_ahead(lambda photo: _look(release, photo), list(once.values()))]
    problems = [str(one) for one in looks if isinstance(one, ImageError)]
    if problems:
        raise DataError(" ".join([*problems, "Nothing was enrolled."]))
    seen = [one for one in looks if isinstance(one, _Seen)]
    vectors: Vectors = np.empty((0, release.dim), np.float32)
    if seen:
        vectors = embed_batches(model, np.stack([one.pixels for one in seen]))
    names, labels = [photo.name for photo in once.values()], [label for label, _ in once]
    pictures = _pictures(labels, seen)
    alike = ["" if picture == place else names[picture] for place, picture in enumerate(pictures)]
    return NewPhotos(
        names=names,
        enrolled=EnrolledPhotos(vectors, labels, [sha256 for _, sha256 in once]),
        thumbnails=[one.thumbnail for one in seen],
        faults=[one.fault for one in seen],
        pictures=pictures,
        notes=[_note(times[photo], other) for photo, other in zip(once, alike, strict=True)],
    )


def _each_once(offered: Sequence[OfferedPhoto]) -> tuple[dict[Named, OfferedPhoto], Counter[Named]]:
    """Return each photo of a label once, the first of equal ones, and how often it was given."""
    once: dict[Named, OfferedPhoto] = {}
    times: Counter[Named] = Counter()
    for photo in offered:
        named = (photo.label, sha256_bytes(photo.data))
        times[named] += 1
        once.setdefault(named, photo)
    return once, times


def _pictures(labels: Sequence[str], seen: Sequence[_Seen]) -> list[int]:
    """Return the place [n] of the first photo of one label that shows nearly the same."""
    sets, limits = DisjointSets(len(seen)), CleaningConfig()
    views = Pictures(lambda place: seen[place].pixels)
    hashes = np.array([one.phash for one in seen], dtype=np.uint64)
    near = candidates(hashes, np.ones(len(seen), dtype=bool), limits.near_distance, views)
    near = near[[labels[first] == labels[second] for first, second in near.tolist()]] if len(near) else near
    for pair in confirm(near, views, limits.near_similarity, limits.near_change, sets.together):
        sets.join(pair.first, pair.second)
    return [sets.root(place) for place in range(len(seen))]


def _note(times: int, alike: str) -> str:
    """Say that a photo was given so many times, or is nearly the one of the name `alike`."""
    given = f"given {times} times, counted once" if times > 1 else ""
    same = f"nearly the same picture as {alike}: both count as one" if alike else ""
    return "; ".join(filter(None, (given, same)))


def _look(release: Release, photo: OfferedPhoto) -> _Seen | ImageError:
    try:
        rgb = decode(photo.data, photo.name)
    except ImageError as error:
        return error
    pixels = release.preprocessing.apply(rgb)
    fault = unusable(rgb, pixels, release.preprocessing, release.photo_limits)
    return _Seen(pixels, THUMBNAIL.apply(rgb), fault, measure_shown(pixels).phash)
