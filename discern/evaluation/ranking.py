"""How well embeddings rank the other items of a class, beyond the nearest one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from discern.errors import DataError

BLOCK = 1024  # queries whose cosines with every item are in memory at a time


def map_at_r(vectors: NDArray[np.float32], class_ids: NDArray[np.int64]) -> float:
    """Mean average precision at R (Musgrave et al., "A metric learning reality check", ECCV 2020), leave-one-out.

    Each item in turn is the query and all others are ranked by cosine. R is the number of others of its class; its
    average precision at R is the sum of the precisions at the ranks, among the first R, that hold one of them, over R.
    An item that is alone in its class is no query, but stays among the others.

    Args:
        vectors: [n, d] unit length.
        class_ids: [n].

    Returns:
        The mean over the queries, 0 to 1.

    Raises:
        DataError: no class has two items.
        ValueError: the vectors are not finite or not as many as the ids.
    """
    if len(vectors) != len(class_ids) or not np.isfinite(vectors).all():
        raise ValueError(f"{len(class_ids)} finite vectors are needed, one for each class id")
    _, number, sizes = np.unique(class_ids, return_inverse=True, return_counts=True)
    others = sizes[number] - 1
    queries = np.flatnonzero(others)
    if len(queries) == 0:
        raise DataError("No class has two items, so none can be ranked for the other: give classes more photos.")
    ranks = np.arange(1, others.max() + 1)
    total = 0.0
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        relevant = number[_nearest(vectors, block, len(ranks))] == number[block, None]
        relevant &= ranks <= others[block, None]
        precision = relevant.cumsum(axis=1) / ranks
        total += float(((precision * relevant).sum(axis=1) / others[block]).sum())
    return total / len(queries)


def _nearest(vectors: NDArray[np.float32], queries: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The rows of the `count` items nearest each of the rows `queries` but itself, nearest first: [queries, count]."""
    cosines = vectors[queries] @ vectors.T
    cosines[np.arange(len(queries)), queries] = -np.inf
    return torch.from_numpy(cosines).topk(count, dim=1).indices.numpy()
