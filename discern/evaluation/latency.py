"""How long one identification takes, from encoded bytes to the answer, on this machine and one thread."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from edge_runtime.identify import Identifier

WARM_UP = 3  # calls that are not counted


def p95_latency_ms(identifier: Identifier, photos: Sequence[bytes]) -> float:
    """95th percentile of the time of `identify` over `photos`, one at a time, milliseconds.

    Raises:
        ValueError: there is no photo.
    """
    if not photos:
        raise ValueError("latency needs at least one photo")
    for photo in photos[:WARM_UP]:
        identifier.identify(photo)
    times = []
    for photo in photos:
        started = time.perf_counter()
        identifier.identify(photo)
        times.append(time.perf_counter() - started)
    return float(np.quantile(times, 0.95) * 1000)
