"""The gallery of a release: which photos of its dataset version it enrols, and how they represent a class.

A release states it in its manifest. One that was built before the manifest had that field is compared with the
galleries that its dataset version could have given: the one whose embeddings are the rows of its index is its gallery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import combinations

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import ConfigError
from discern.evaluation.gallery import GalleryConfig, Vectors, embed_batches, enrol, gallery_rows
from discern.sources.base import Split
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import Release, Represent

SAME_COSINE = 0.999  # between an embedding and the same one of another machine or batch
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def representation(release: Release) -> Represent:
    """Return how `release` represents a class; its rule was fitted for that.

    A release of format 1 does not state it: one row a class is then taken for the class's mean.
    """
    if release.manifest.represent is not None:
        return release.manifest.represent
    counts = release.manifest.counts
    return "prototype" if counts.gallery == counts.classes else "exemplars"


def as_enrolled_by(release: Release, gallery: GalleryConfig) -> GalleryConfig:
    """Return `gallery` with the representation of a class and the class offsets that the rule of `release` is for."""
    stated = release.manifest.gallery
    return gallery.decided(representation(release), class_offsets=stated is not None and stated.class_offsets)


def gallery_of(release: Release, version: DatasetVersion) -> GalleryConfig:
    """Return the gallery config that `release` enrols photos of `version` with.

    Args:
        release: the release.
        version: the dataset version that it was built from.

    Raises:
        ConfigError: the release does not state it, and no gallery of `version` gives the rows of its index.
        ReleaseError: the release does not load.
    """
    stated = release.manifest.gallery
    if stated is None or stated.photos_per_class is None or stated.splits is None:
        return _gallery_by_rows(Identifier(release), version)
    return GalleryConfig.model_validate(stated.model_dump())


def _gallery_by_rows(identifier: Identifier, version: DatasetVersion) -> GalleryConfig:
    """Find the gallery whose embeddings are the rows of the index; of several, the nearest."""
    release, index = identifier.release, identifier.index
    photos = version.select(role="gallery", labels=release.labels)
    pixels = load_photos(photos, release.preprocessing, "decoding gallery").pixels
    vectors = embed_batches(identifier.model, pixels)
    likeness = {}
    for splits in _possible_splits(version, release):
        for photos_per_class in range(1, _most_photos(photos, splits) + 1):
            config = GalleryConfig(
                photos_per_class=photos_per_class,
                represent=representation(release),
                splits=splits,
                unknown_classes=False,
                class_offsets=False,
            )
            rows = _index_rows(photos, vectors, config)
            if rows.shape == index.vectors.shape:
                likeness[config] = float((rows * index.vectors).sum(axis=1).min())
    nearest = max(likeness, key=likeness.__getitem__, default=None)
    if nearest is None or likeness[nearest] < SAME_COSINE:
        raise ConfigError(
            f"Release {release.id} does not state its gallery, and no gallery of dataset version {version.id} gives "
            "the rows of its index: train it again, or take the dataset version that it was trained on."
        )
    return nearest


def _possible_splits(version: DatasetVersion, release: Release) -> Iterator[tuple[Split, ...]]:
    """Give every choice of splits whose gallery photos are of the release's classes and of no further one."""
    for count in range(1, len(SPLITS) + 1):
        for splits in combinations(SPLITS, count):
            labels = {label for split in splits for label in version.select(split=split, role="gallery").labels}
            if labels == set(release.labels):
                yield splits


def _most_photos(photos: DatasetVersion, splits: Collection[Split]) -> int:
    """Return how many gallery photos the class with the most has in `splits`."""
    rows = zip(photos.column("label"), photos.column("split"), strict=True)
    return max(Counter(label for label, split in rows if split in splits).values())


def _index_rows(photos: DatasetVersion, vectors: Vectors, config: GalleryConfig) -> Vectors:
    """Enrol embedded photos as `config` says; rows lie class by class, as in an index."""
    rows = gallery_rows(photos, config)
    labels = photos.column("label")
    gallery = enrol(vectors[rows], [labels[row] for row in rows], config)
    return gallery.vectors[np.argsort(gallery.class_ids, kind="stable")]
