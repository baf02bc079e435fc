"""The photos that a model is evaluated on: the enrolled ones and the queries of a split, decoded and embedded once.

The gallery holds every class. A query of a class that is held out as unknown is asked as if the class were not
enrolled; any other query is asked twice, once as it is and once so. That makes an unknown class of every class, where
the few that are held out show little of how often an unknown gets a name.

Decoding depends on the model's preprocessing alone, so several models of one preprocessing share a `DecodedSplit`. An
`EmbeddedSplit` is made once a model, and handed on to whatever needs its vectors.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import DataError
from discern.evaluation.gallery import (
    Gallery,
    GalleryConfig,
    Vectors,
    embed_batches,
    enrol,
    gallery_rows,
    unknown_classes,
)
from discern.evaluation.retrieval import Queries, SearchResults
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels, Preprocessing


@dataclass(frozen=True)
class EmbeddedSplit:
    """Photos of a dataset version, embedded by one model.

    Attributes:
        rows: the photos, in the manifest's order.
        vectors: [n, d] float32, unit length.
        trained: classes that the model trained on.
        left_out: [n] whether the photo is asked as if its class were not enrolled; None: none is.
        photos: how many of the first ones are different photos; the others are asked a second time.
    """

    rows: DatasetVersion
    vectors: Vectors
    trained: frozenset[str] = frozenset()
    left_out: NDArray[np.bool_] | None = None
    photos: int | None = None

    @property
    def labels(self) -> list[str]:
        """N labels, one for each photo."""
        return self.rows.column("label")

    @property
    def queries(self) -> Queries:
        """The photos as queries."""
        return Queries(self.vectors, self.labels, self.trained, self.left_out)

    def search(self, gallery: Gallery, *, ranked: bool = False) -> SearchResults:
        """Search the photos in `gallery`; `ranked`: rank its rows too.

        Raises:
            DataError: there is no photo.
        """
        return self.queries.search(gallery, ranked=ranked)

    def enrol(self, config: GalleryConfig) -> Gallery:
        """Enrol the photos.

        Raises:
            DataError: as `discern.evaluation.gallery.enrol`.
        """
        return enrol(self.vectors, self.labels, config)


@dataclass(frozen=True)
class DecodedSplit:
    """Photos of a dataset version, decoded and resized in memory.

    Attributes:
        rows: the photos, in the manifest's order.
        pixels: [n, size, size, 3] uint8.
        trained: classes of the training split.
        unknown: classes that are held out as unknowns: asked as if they were not enrolled.
        asked_twice: classes that are asked both ways.
    """

    rows: DatasetVersion
    pixels: Pixels
    trained: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    asked_twice: frozenset[str] = frozenset()

    def embed(self, model: OnnxEmbedder) -> EmbeddedSplit:
        """Embed the photos, which were decoded with the preprocessing of `model`; then come those asked twice, again.

        Raises:
            ReleaseError: the model fails.
        """
        labels = self.rows.column("label")
        again = [row for row, label in enumerate(labels) if label in self.asked_twice]
        left_out = np.array([label in self.unknown for label in labels] + [True] * len(again), dtype=bool)
        vectors = embed_batches(model, self.pixels)
        if not again:
            return EmbeddedSplit(self.rows, vectors, self.trained, left_out)
        order = [*range(len(labels)), *again]
        return EmbeddedSplit(self.rows.take(order), vectors[order], self.trained, left_out, photos=len(labels))


def decode_gallery(version: DatasetVersion, config: GalleryConfig, preprocessing: Preprocessing) -> DecodedSplit:
    """Decode the photos of `version` that are enrolled.

    Raises:
        DataError: none is.
    """
    enrolled = version.take(gallery_rows(version, config))
    return DecodedSplit(enrolled, load_photos(enrolled, preprocessing, "decoding gallery").pixels)


def decode_queries(
    version: DatasetVersion, split: str, enrolled: Collection[str], preprocessing: Preprocessing
) -> DecodedSplit:
    """Decode the queries of one split, as `select_queries` selects them.

    Raises:
        DataError: the split has no query of an enrolled class.
    """
    rows = _queries_of_enrolled(version, split, enrolled)
    pixels = load_photos(rows, preprocessing, f"decoding {split} queries").pixels
    unknown = unknown_classes(version)
    # Of one enrolled class nothing would be left to search.
    twice = frozenset(enrolled) - unknown if len(enrolled) > 1 else frozenset()
    return DecodedSplit(rows, pixels, trained_classes(version), unknown, twice)


def select_queries(version: DatasetVersion, split: str, enrolled: Collection[str]) -> DatasetVersion:
    """Select the queries of one split, in the manifest's order: those of enrolled classes, and unknowns.

    A class that trained but is not enrolled is neither. The model knows it, so that its photos are no fair unknowns.
    """
    left_out = trained_classes(version) - set(enrolled)
    queries = version.select(split=split, role="query")
    return queries.select(labels=set(queries.labels) - left_out)


def trained_classes(version: DatasetVersion) -> frozenset[str]:
    """Return the classes of the training split."""
    return frozenset(version.select(split="train").labels)


def check_calibratable(version: DatasetVersion, gallery_config: GalleryConfig) -> None:
    """Refuse, before hours of training, a version of which no release could be calibrated and measured.

    Raises:
        DataError: it lacks gallery photos, validation queries or test queries of classes with gallery photos.
    """
    enrolled = set(version.take(gallery_rows(version, gallery_config)).labels)
    for split in ("validation", "test"):
        _queries_of_enrolled(version, split, enrolled)


def _queries_of_enrolled(version: DatasetVersion, split: str, enrolled: Collection[str]) -> DatasetVersion:
    queries = select_queries(version, split, enrolled)
    if not set(queries.labels) & (set(enrolled) - unknown_classes(version)):
        raise DataError(
            f"The {split} split has no query of an enrolled class: hold out classes for it that have more photos than "
            "are enrolled, or split photos (`splits: {by: photos}`)."
        )
    return queries
