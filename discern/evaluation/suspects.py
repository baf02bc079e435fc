"""Photos that look like another class than their own, and photos that look like none of their own: lists to look at.

Pure: vectors and labels in, photos out. Before there is a model the vectors are `discern.datasets.appearance.vectors`;
where there is one they are its embeddings, and the lists are the better. None of this is a gate: two classes may well
look alike.

Of 729 groceries of 81 classes with 9 random labels changed, 7.8 of the 9 were among the worst 24 by the cheap vectors
(6.8 where each was changed to the label of a kindred class).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAREST = 3  # photos of a class whose mean distance counts; one wrong label more or less changes little
WORST = 24
CHUNK = 512  # photos compared with all at once
LEAST = 1e-6  # distance below which photos are equal

Vectors = NDArray[np.float32]
Distances = NDArray[np.float32]


@dataclass(frozen=True)
class Suspect:
    """A photo that looks like another class.

    Attributes:
        row: the photo.
        neighbour: the photo of the other class that is nearest to it.
        ratio: its mean distance to the nearest of its own class over that to the nearest of the other.
    """

    row: int
    neighbour: int
    ratio: float


@dataclass(frozen=True)
class Outlier:
    """A photo that is far from its own class.

    Attributes:
        row: the photo.
        neighbour: the photo of its class that is nearest to it.
        ratio: its mean distance to the nearest of its class over the median of its class's photos.
    """

    row: int
    neighbour: int
    ratio: float


@dataclass(frozen=True)
class Suspects:
    """Both lists, the worst first."""

    of_another_class: tuple[Suspect, ...]
    outliers: tuple[Outlier, ...]


def find_suspects(
    vectors: Vectors,
    labels: Sequence[str],
    near_duplicates: Sequence[str | None],
    *,
    worst: int = WORST,
    nearest: int = NEAREST,
) -> Suspects:
    """Rank photos by how much they look like another class, and by how little they look like their own.

    Args:
        vectors: [n, d] float32, unit length.
        labels: n labels.
        near_duplicates: n names of sets; a photo's near-duplicates do not count as its neighbours.
        worst: length of each list at most.
        nearest: photos of a class whose mean distance counts.

    Returns:
        Photos that are nearer to another class than to their own, and those that are twice as far from their class as
        its median photo. A photo whose class has no other but its near-duplicates is in neither list.
    """
    names, ids = np.unique(np.array(labels), return_inverse=True)
    _, sets = np.unique([name or f"\0{i}" for i, name in enumerate(near_duplicates)], return_inverse=True)
    own, other, neighbours = (np.empty(len(ids), kind) for kind in (np.float32, np.float32, (np.int64, 2)))
    columns = [np.flatnonzero(ids == k) for k in range(len(names))]
    for rows, distances in _distances(vectors, sets):
        means, closest = _to_classes(distances, columns, nearest)
        at = np.arange(len(rows))
        own[rows], neighbours[rows, 0] = means[at, ids[rows]], closest[at, ids[rows]]
        means[at, ids[rows]] = np.inf
        best = means.argmin(axis=1)
        other[rows], neighbours[rows, 1] = means[at, best], closest[at, best]
    return Suspects(
        tuple(Suspect(*found) for found in _listed(_ratio(own, other), neighbours[:, 1], 1.0, worst)),
        tuple(Outlier(*found) for found in _listed(_ratio(own, _medians(own, ids)), neighbours[:, 0], 2.0, worst)),
    )


def _distances(vectors: Vectors, sets: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Distances]]:
    """Yield rows with their distances to all photos, [rows, n]; to themselves and their near-duplicates infinite."""
    for start in range(0, len(vectors), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(vectors)))
        cosines = vectors[rows] @ vectors.T
        distances = np.sqrt(np.maximum(0, 2 - 2 * cosines))
        distances[sets[rows][:, None] == sets[None]] = np.inf
        yield rows, distances


def _to_classes(
    distances: Distances, columns: Sequence[NDArray[np.int64]], nearest: int
) -> tuple[Distances, NDArray[np.int64]]:
    """Return the mean distance to the nearest photos of each class, and the nearest of them, [rows, classes]."""
    means = np.empty((len(distances), len(columns)), np.float32)
    closest = np.empty(means.shape, np.int64)
    for k, members in enumerate(columns):
        some = distances[:, members]
        closest[:, k] = members[some.argmin(axis=1)]
        few = np.sort(np.partition(some, min(nearest, len(members)) - 1, axis=1)[:, :nearest], axis=1)
        is_there = np.isfinite(few)
        total = np.where(is_there, few, 0).sum(axis=1)
        means[:, k] = np.where(is_there.any(axis=1), total / np.maximum(1, is_there.sum(axis=1)), np.inf)
    return means, closest


def _medians(own: Distances, ids: NDArray[np.int64]) -> Distances:
    """Return, for each photo, the median of what the photos of its class have."""
    medians = np.full(len(own), np.inf, np.float32)
    for k in np.unique(ids):
        finite = own[(ids == k) & np.isfinite(own)]
        if len(finite):
            medians[ids == k] = np.median(finite)
    return medians


def _ratio(own: Distances, other: Distances) -> Distances:
    """Return own / other; -inf where either is not known."""
    ratio = np.full(len(own), -np.inf, np.float32)
    known = np.isfinite(own) & np.isfinite(other)
    ratio[known] = own[known] / np.maximum(other[known], LEAST)
    return ratio


def _listed(
    ratios: Distances, neighbours: NDArray[np.int64], above: float, worst: int
) -> Iterator[tuple[int, int, float]]:
    """Yield the photos with the highest ratios above a limit; of equal ones the first."""
    for row in np.argsort(-ratios, kind="stable")[:worst].tolist():
        if ratios[row] > above:
            yield row, int(neighbours[row]), float(ratios[row])
