"""Build the index of a release anew from its dataset version, and compare it with what was shipped.

The model is the release's own: trainings are not repeated. What is compared are the enrolled classes, their vectors and
the answers to the test queries.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import Gallery, Vectors, embed_batches
from discern.evaluation.queries import decode_gallery, decode_queries
from discern.releases.enrolled_gallery import SAME_COSINE, as_enrolled_by, gallery_of
from discern.words import counted
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import Release


@dataclass(frozen=True)
class Rebuilt:
    """What came of it.

    Attributes:
        rows: gallery rows of the index that was built anew.
        least_cosine: of a shipped row and the same one built anew; None where the rows cannot be paired.
        queries: test queries that both indexes were asked.
        alike: of them, those that got the same answer.
        differences: what differs, in words; none where the release is what its dataset version gives.
    """

    rows: int
    least_cosine: float | None
    queries: int
    alike: int
    differences: tuple[str, ...]


def rebuild(release: Release, version: DatasetVersion) -> Rebuilt:
    """Embed and enrol the gallery of `version` as `release` does, and compare; nothing is written.

    Args:
        release: the release.
        version: the dataset version that it was built from.

    Raises:
        ConfigError: the release does not state its gallery, and no gallery of `version` gives its rows.
        DataError: the version has no gallery or no test queries.
        ReleaseError: the release does not load.
    """
    identifier = Identifier(release)
    config = as_enrolled_by(release, gallery_of(release, version))
    gallery = decode_gallery(version, config, release.preprocessing).embed(identifier.model).enrol(config)
    cosine = _least_cosine(identifier, gallery)
    differences = [*_of_classes(release.labels, gallery.labels), *_of_rows(identifier, gallery, cosine)]
    queries = alike = 0
    if release.labels == gallery.labels:
        photos = decode_queries(version, "test", set(gallery.labels), release.preprocessing).pixels
        vectors = embed_batches(identifier.model, photos)
        queries, alike = len(vectors), _alike(identifier, gallery, vectors)
    if alike < queries:
        differences.append(f"{counted(queries - alike, 'test query')} of {queries:,} got another answer")
    return Rebuilt(len(gallery.vectors), cosine, queries, alike, tuple(differences))


def _least_cosine(identifier: Identifier, gallery: Gallery) -> float | None:
    shipped, built = identifier.index, gallery.index
    if not np.array_equal(shipped.classes, built.classes):
        return None
    return float((shipped.vectors * built.vectors).sum(axis=1).min())


def _of_classes(shipped: tuple[str, ...], built: tuple[str, ...]) -> list[str]:
    sides = (("was shipped and not built", shipped, built), ("was built and not shipped", built, shipped))
    return [
        f"{counted(len(alone), 'class')} {told}, such as {alone[0]!r}"
        for told, one, other in sides
        if (alone := sorted(set(one) - set(other)))
    ]


def _of_rows(identifier: Identifier, gallery: Gallery, cosine: float | None) -> list[str]:
    if cosine is None:
        shipped, built = len(identifier.index.vectors), len(gallery.vectors)
        return [f"{shipped:,} rows were shipped and {built:,} built, or other ones of a class"]
    if cosine < SAME_COSINE:
        return [f"a row was shipped with a cosine of {cosine:.4f} to the one that was built"]
    return []


def _alike(identifier: Identifier, gallery: Gallery, vectors: Vectors) -> int:
    """Count the queries that get the same answer of the shipped index and of the one that was built."""
    again = copy.copy(identifier)
    again.index = gallery.index
    pairs = zip(identifier.answer_embeddings(vectors), again.answer_embeddings(vectors), strict=True)
    return sum((one.outcome, one.label) == (other.outcome, other.label) for one, other in pairs)
