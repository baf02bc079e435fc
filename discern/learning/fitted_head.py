"""An embedding head in closed form, for a backbone whose weights stay as they are. Pure.

It is linear discriminant analysis with shrinkage, in its two known halves: the features are whitened by the covariance
within classes (Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for SVM-based speaker recognition",
Interspeech 2006), so that what varies between photos of one thing no longer counts; of what is left, the directions in
which photos differ most are kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Share of the mean variance in the covariance, since photos are mostly fewer than features. On held-out groceries with
# EfficientNet-Lite0 as it is (128 px, 5 photos a class) recall@1 rose from .53 to .60 and AUROC from .52 to .77.
SHRINKAGE = 0.3


def fit_head(
    features: NDArray[np.floating], labels: NDArray[np.integer], dim: int, shrinkage: float = SHRINKAGE
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit a linear layer: features lie around the mean of the classes' means, and vary alike in every direction.

    Where no class has two photos, nothing tells what varies within a class, and the features are centred and turned
    but not stretched. A single class is not centred: around its own mean its photos would have no common direction.

    Args:
        features: [n, width], of n photos, one at least.
        labels: [n] class numbers.
        dim: directions that are kept, at most `width`.
        shrinkage: share of the mean variance in the covariance within classes, in (0, 1].

    Returns:
        Weight [dim, width] and bias [dim].

    Raises:
        ValueError: there is no photo, a feature is not finite, or `dim` is more than `width`.
    """
    if not len(features) or not np.isfinite(features).all() or dim > features.shape[1]:
        raise ValueError("a head needs finite features of one photo at least, and no more directions than features")
    # In one order, so that sums are the same to the bit for the same photos in any order.
    order = np.lexsort((labels, *features.T))
    rows = features[order].astype(np.float64)
    _, classes, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), rows.shape[1]))
    np.add.at(means, classes, rows)
    means /= counts[:, None]
    centre = means.mean(axis=0) if len(counts) > 1 else np.zeros(rows.shape[1])
    stretch = _whitening(rows - means[classes], len(rows) - len(counts), shrinkage)
    whitened = (rows - centre) @ stretch
    _, directions = np.linalg.eigh(whitened.T @ whitened)  # in rising order
    weight = directions[:, ::-1][:, :dim].T @ stretch
    return weight.astype(np.float32), (-weight @ centre).astype(np.float32)


def _whitening(deviations: Matrix, freedom: int, shrinkage: float) -> Matrix:
    """Return the symmetric [width, width] by which deviations [n, width] from their class's mean become alike."""
    width = deviations.shape[1]
    covariance = deviations.T @ deviations / max(1, freedom)
    mean_variance = np.trace(covariance) / width
    if mean_variance <= np.finfo(np.float32).tiny:  # one photo a class, or copies of one
        return np.eye(width)
    values, axes = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * mean_variance * np.eye(width))
    whitening: Matrix = (axes / np.sqrt(values)) @ axes.T
    return whitening
