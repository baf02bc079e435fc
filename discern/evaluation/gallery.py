"""The gallery: the photos that are enrolled, and the rows that represent a class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from discern.datasets.appearance import vectors as appearance_vectors
from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.evaluation.class_offsets import class_offsets
from discern.evaluation.gallery_choice import choose_spread
from discern.progress import bar
from discern.sources.base import Split
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels
from edge_runtime.core.index import GalleryIndex
from edge_runtime.core.release import Represent

Vectors = NDArray[np.float32]
BATCH = 64  # photos embedded at once


class GalleryConfig(BaseModel):
    """The photos that are enrolled, and the representation of a class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    photos_per_class: int = Field(default=5, ge=1, description="at most; spread over looks and capture sessions")
    represent: Represent | Literal["auto"] = Field(
        default="exemplars",
        description="exemplars: a row a photo; prototype: their mean (Snell et al., NeurIPS 2017); auto: the better",
    )
    splits: tuple[Split, ...] = Field(
        default=("train", "validation", "test"), min_length=1, description="whose classes are enrolled"
    )
    unknown_classes: bool = Field(
        default=True, description="enrol also the classes that are held out as unknowns, which are measured before"
    )
    class_offsets: bool | Literal["auto"] = Field(
        default="auto",
        description="whether a class whose photos are alike needs a higher score than one whose photos differ; auto: "
        "what is better",
    )

    def decided(self, represent: Represent, class_offsets: bool) -> GalleryConfig:
        """Return the same config with this representation, and with class offsets or without."""
        return self.model_copy(update={"represent": represent, "class_offsets": class_offsets})


@dataclass(frozen=True)
class Gallery:
    """The enrolled classes.

    Attributes:
        vectors: [n, d] float32, unit length.
        class_ids: [n] int64, the class number of each row: its index in `labels`.
        labels: of the classes, sorted.
        offsets: [c] float32, what is taken off the cosines of each class; None: nothing.
    """

    vectors: Vectors
    class_ids: NDArray[np.int64]
    labels: tuple[str, ...]
    offsets: Vectors | None = None

    @cached_property
    def index(self) -> GalleryIndex:
        """The index that a release of this gallery searches; built once, as a graph takes a while."""
        return GalleryIndex.build(self.vectors, self.class_ids, offsets=self.offsets)


def gallery_rows(version: DatasetVersion, config: GalleryConfig) -> list[int]:
    """Return the rows of `version` that are enrolled, rising: at most so many of each class, see `gallery_choice`.

    Of a class that is held out as unknown, no photo of which is meant for the gallery, queries are enrolled.

    Of a version whose photos' appearances nobody measured, as of every one of manifest formats 1 to 3, the first ones
    are enrolled: a release that was built from it is so evaluated with the gallery that it was built with.

    Raises:
        DataError: no row is enrolled.
    """
    unknown = unknown_classes(version) if config.unknown_classes else frozenset()
    rows_of: dict[str, list[int]] = defaultdict(list)
    columns = zip(version.column("split"), version.column("role"), version.column("label"), strict=True)
    for row, (split, role, label) in enumerate(columns):
        if split in config.splits and (role == "gallery" or label in unknown):
            rows_of[label].append(row)
    if rows_of.keys() <= unknown:
        raise DataError("The dataset version has no gallery photo in the splits that are enrolled: check `splits`.")
    choose = _first if version.table["appearance"].null_count else _spread(version)
    return sorted(row for rows in rows_of.values() for row in choose(rows, config.photos_per_class))


def unknown_classes(version: DatasetVersion) -> frozenset[str]:
    """Return the classes that are held out as unknowns: none of their photos is meant for the gallery."""
    return frozenset(version.labels) - frozenset(version.select(role="gallery").labels)


def _first(rows: Sequence[int], count: int) -> Sequence[int]:
    return rows[:count]


def _spread(version: DatasetVersion) -> Callable[[Sequence[int], int], Sequence[int]]:
    appearance, near_duplicates, groups, sessions = (
        version.column(name) for name in ("appearance", "near_duplicates", "group", "session")
    )

    def choose(rows: Sequence[int], count: int) -> Sequence[int]:
        if len(rows) <= count:
            return rows
        places = choose_spread(
            appearance_vectors([appearance[row] for row in rows]),
            [near_duplicates[row] for row in rows],
            [groups[row] or sessions[row] for row in rows],
            count,
        )
        return [rows[place] for place in places]

    return choose


def enrol(vectors: Vectors, labels: list[str], config: GalleryConfig) -> Gallery:
    """Build the gallery of embedded photos.

    Args:
        vectors: [n, d], unit length.
        labels: n labels.
        config: how a class is represented; class offsets that are still to be chosen are none.

    Raises:
        DataError: the photos of a class are each other's opposite, so that they have no mean direction.
        ValueError: the representation is still to be chosen (`discern.evaluation.gallery_fit`).
    """
    if config.represent == "auto":
        raise ValueError("choose a representation before enrolling")
    names, ids = np.unique(np.array(labels), return_inverse=True)
    offsets = class_offsets(vectors, ids, config.represent) if config.class_offsets is True else None
    if config.represent == "prototype":
        sums = np.zeros((len(names), vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, ids, vectors)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        if not lengths.all():
            raise DataError(
                f"The embeddings of {str(names[lengths.argmin()])!r} cancel each other out: "
                "use `represent: exemplars`, or other photos."
            )
        vectors, ids = sums / lengths, np.arange(len(names))
    return Gallery(vectors.astype(np.float32), ids.astype(np.int64), tuple(str(name) for name in names), offsets)


def embed_batches(model: OnnxEmbedder, pixels: Pixels) -> Vectors:
    """Embed `pixels` [n, size, size, 3] with the device's runtime, [n, d], with progress."""
    blocks = bar(range(0, len(pixels), BATCH), name="embedding", unit="batch")
    parts = [model.embed(pixels[start : start + BATCH]) for start in blocks]
    return np.concatenate(parts) if parts else np.empty((0, model.dim), np.float32)
