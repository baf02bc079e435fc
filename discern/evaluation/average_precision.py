"""Rank the gallery's rows for a query: average precision at R.

Pure: vectors in, one number a query out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.gallery import Vectors
from edge_runtime.core.index import GalleryIndex

BLOCK = 10_000_000  # scores that are held at once


def average_precision_at_r(index: GalleryIndex, vectors: Vectors, own: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the average precision at R of each query (Musgrave, Belongie and Lim, ECCV 2020, section 3.2).

    R is the number of gallery rows of the query's own class. Of the R rows that score highest, the precision at each
    rank that holds a row of the class is added up, and divided by R. Where a class is one row, that is recall@1.

    Args:
        index: the gallery; a row scores as in a search: its cosine less its class's offset.
        vectors: [q, d] unit length.
        own: [q] number of the query's class, of which the gallery has rows.
    """
    rows_of = np.bincount(index.classes)
    block = max(1, BLOCK // len(index.classes))
    parts = [
        _of_block(index, vectors[start : start + block], own[start : start + block], rows_of)
        for start in range(0, len(own), block)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _of_block(
    index: GalleryIndex, vectors: Vectors, own: NDArray[np.int64], rows_of: NDArray[np.int64]
) -> NDArray[np.float64]:
    scores = vectors @ index.vectors.T - index.offsets[index.classes]
    wanted = rows_of[own]
    most = int(wanted.max())
    highest = np.argpartition(-scores, most - 1, axis=1)[:, :most]
    order = np.argsort(-np.take_along_axis(scores, highest, axis=1), axis=1, kind="stable")
    ranked = index.classes[np.take_along_axis(highest, order, axis=1)]
    rank = np.arange(1, most + 1)
    found = (ranked == own[:, None]) & (rank <= wanted[:, None])
    precision: NDArray[np.float64] = (found * found.cumsum(axis=1) / rank).sum(axis=1) / wanted
    return precision
