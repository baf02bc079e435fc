"""Photos that somebody wants to enrol, as the model of a release sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class NewPhotos:
    """Photos that were decoded and embedded.

    Attributes:
        names: n names.
        enrolled: the photos as a gallery holds them.
        thumbnails: n pictures, [96, 96, 3] uint8 each.
        faults: n sentences on why a photo cannot be used; "" where it can.
    """

    names: list[str]
    enrolled: EnrolledPhotos
    thumbnails: list[Pixels]
    faults: list[str]


@dataclass(frozen=True)
class _Seen:
    pixels: Pixels
    thumbnail: Pixels
    fault: str


def read_photos(release: Release, model: OnnxEmbedder, offered: Sequence[OfferedPhoto]) -> NewPhotos:
    """Decode, check and embed photos.

    Args:
        release: its preprocessing and its limits of photos count.
        model: its embedding model, loaded.
        offered: the photos; there may be none.

    Raises:
        DataError: photos cannot be decoded; the sentence names all of them.
    """
    seen = [look for _, look in map_ahead(lambda photo: _look(release, photo), offered)]
    problems = [str(one) for one in seen if isinstance(one, ImageError)]
    if problems:
        raise DataError(" ".join([*problems, "Nothing was enrolled."]))
    good = [one for one in seen if isinstance(one, _Seen)]
    vectors: Vectors = np.empty((0, release.dim), np.float32)
    if good:
        vectors = embed_batches(model, np.stack([one.pixels for one in good]))
    return NewPhotos(
        names=[photo.name for photo in offered],
        enrolled=EnrolledPhotos(
            vectors, [photo.label for photo in offered], [sha256_bytes(photo.data) for photo in offered]
        ),
        thumbnails=[one.thumbnail for one in good],
        faults=[one.fault for one in good],
    )


def _look(release: Release, photo: OfferedPhoto) -> _Seen | ImageError:
    try:
        rgb = decode(photo.data, photo.name)
    except ImageError as error:
        return error
    pixels = release.preprocessing.apply(rgb)
    fault = unusable(rgb, pixels, release.preprocessing, release.photo_limits)
    return _Seen(pixels, THUMBNAIL.apply(rgb), fault)
