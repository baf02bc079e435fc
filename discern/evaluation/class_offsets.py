"""What is taken off a class's score, by how alike its own photos are. Pure.

A threshold for all classes asks too much of a class whose photos differ, and too little of one whose photos are alike:
classes that trained lie closer together than new ones and draw the queries of these to themselves, as shown by
groceries of which 51 classes trained and 20 more were enrolled: .57 of all queries were named right, .62 with these
offsets, and TPIR at a FPIR of 10 % rose from .13 to .21. On rendered pills it rose from .76 to .82, and with a model
that was not trained it stayed (.60; `docs/results.md`). Score normalisation by the enrolled photos of a class is known
from speaker verification (Auckenthaler, Carey and Lloyd-Thomas, Digital Signal Processing 10, 2000).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.core.release import Represent

Vectors = NDArray[np.float32]

# Share of the difference of likeness that is taken off. Of .25, .5 and .75, on validation pills, on groceries of a
# development draw and on the official training list with nothing trained, .5 was the best for 5 photos a class or more.
# For 2 photos .25 was, of whose likeness one number tells little: so one part in n is not taken.
SHARE = 0.5


def class_offsets(vectors: Vectors, ids: NDArray[np.int64], represent: Represent) -> Vectors:
    """Return what is taken off the cosines of each class: [c] float32, 0 on average and for classes of one photo.

    Args:
        vectors: [n, d] the enrolled photos, unit length.
        ids: [n] the class of each, 0 to c - 1, each with one photo at least.
        represent: how a class is represented; its photos are compared with each other in the same way.
    """
    counts = np.bincount(ids)
    likeness = np.array([_likeness(vectors[ids == number], represent) for number in range(len(counts))])
    several = counts > 1  # photos
    if not several.any():
        return np.zeros(len(counts), dtype=np.float32)
    differences = np.where(several, likeness - likeness[several].mean(), 0.0)
    return (SHARE * (1 - 1 / counts) * differences).astype(np.float32)


def _likeness(photos: Vectors, represent: Represent) -> float:
    """Return the mean score of each photo of a class in a class of the other ones; 0 where there is one photo."""
    if len(photos) == 1:
        return 0.0
    if represent == "prototype":
        others = photos.sum(axis=0) - photos
        lengths = np.linalg.norm(others, axis=1)
        # Photos that cancel each other out have no mean direction to be like.
        scores = np.einsum("ij,ij->i", photos, others) / np.where(lengths > 0, lengths, np.inf)
    else:
        cosines = photos @ photos.T
        np.fill_diagonal(cosines, -np.inf)
        scores = cosines.max(axis=1)
    return float(scores.mean())
