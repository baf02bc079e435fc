"""The photos that a model is evaluated on: the enrolled ones and the queries of a split, decoded and embedded once.

Decoding depends on the model's preprocessing alone, so several models of one preprocessing share a `DecodedSplit`. An
`EmbeddedSplit` is made once a model, and handed on to whatever needs its vectors.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import DataError
from discern.evaluation.gallery import Gallery, GalleryConfig, Vectors, embed_batches, enrol, gallery_rows
from discern.evaluation.retrieval import Queries, SearchResults
from discern.evaluation.threshold_calibration import check_fitting
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels, Preprocessing


@dataclass(frozen=True)
class EmbeddedSplit:
    """Photos of a dataset version, embedded by one model.

    Attributes:
        rows: the photos, in the manifest's order.
        vectors: [n, d] float32, unit length.
        trained: classes that the model trained on.
    """

    rows: DatasetVersion
    vectors: Vectors
    trained: frozenset[str] = frozenset()

    @property
    def labels(self) -> list[str]:
        """N labels, one for each photo."""
        return self.rows.column("label")

    @property
    def queries(self) -> Queries:
        """The photos as queries."""
        return Queries(self.vectors, self.labels, self.trained)

    def search(self, gallery: Gallery) -> SearchResults:
        """Search the photos in `gallery`.

        Raises:
            DataError: there is no photo.
        """
        return self.queries.search(gallery)

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
    """

    rows: DatasetVersion
    pixels: Pixels
    trained: frozenset[str] = frozenset()

    def embed(self, model: OnnxEmbedder) -> EmbeddedSplit:
        """Embed the photos, which were decoded with the preprocessing of `model`.

        Raises:
            ReleaseError: the model fails.
        """
        return EmbeddedSplit(self.rows, embed_batches(model, self.pixels), self.trained)


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
    return DecodedSplit(rows, pixels, trained_classes(version))


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


def check_calibratable(version: DatasetVersion, gallery_config: GalleryConfig, fpir: float) -> None:
    """Refuse, before hours of training, a version of which no release could be calibrated and measured.

    Raises:
        DataError: it lacks gallery photos, validation queries, unknowns or test queries.
    """
    enrolled = set(version.take(gallery_rows(version, gallery_config)).labels)
    labels = _queries_of_enrolled(version, "validation", enrolled).column("label")
    known = sum(label in enrolled for label in labels)
    check_fitting(known, len(labels) - known, fpir)
    _queries_of_enrolled(version, "test", enrolled)


def _queries_of_enrolled(version: DatasetVersion, split: str, enrolled: Collection[str]) -> DatasetVersion:
    queries = select_queries(version, split, enrolled)
    if not set(queries.labels) & set(enrolled):
        raise DataError(
            f"The {split} split has no query of an enrolled class: hold out classes for it that have more photos than "
            "are enrolled."
        )
    return queries
