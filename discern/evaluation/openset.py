"""Open-set identification at a fixed false-identification rate.

Terms after ISO/IEC 19795-1: strangers are queries of classes that are not enrolled; the false-positive identification
rate (FPIR) is the share of them who get a name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST_COSINE = -1.0


def allowed_strangers(strangers: int, fpir: float) -> int:
    """The largest number of `strangers` whose share is not above `fpir`; 0 where they are too few to resolve it."""
    shares = np.arange(strangers + 1) / strangers
    return int(np.searchsorted(shares, fpir, side="right")) - 1


def lowest_threshold(strangers: NDArray[np.float32], allowed: int) -> float:
    """The lowest threshold that at most `allowed` of the scores `strangers` reach."""
    if len(strangers) <= allowed:
        return LOWEST_COSINE
    highest_refused = np.sort(strangers)[::-1][allowed]
    return float(np.nextafter(highest_refused, np.float32(2.0)))
