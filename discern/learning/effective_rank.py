"""The effective rank of embeddings, which is low when they have collapsed onto few directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def effective_rank(vectors: NDArray[np.floating]) -> float:
    """Effective rank of embeddings: exp of the entropy of their normalised singular values.

    After Roy and Vetterli, "The effective rank", EUSIPCO 2007. It lies between 1 (all on one line) and min(n, d). The
    vectors are not centred: the figure must show embeddings that are all equal, and centred these are all 0.

    Args:
        vectors: [n, d].

    Raises:
        ValueError: there is no vector, one is not finite, or all are 0.
    """
    if vectors.size == 0 or not np.isfinite(vectors).all() or not vectors.any():
        raise ValueError("an effective rank needs finite vectors that are not all 0")
    values = np.linalg.svd(vectors.astype(np.float64), compute_uv=False)
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
