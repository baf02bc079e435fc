"""`python -m benchmarks.dataset_reads`: random photos of a version, against decoding the same JPEGs from memory."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.photos import jpeg
from benchmarks.run import BenchmarkParser
from discern.datasets.ingest.write_version import write_version
from discern.datasets.ingest.writer import ShardLimits
from discern.sources.base import Photo
from edge_runtime.core.images import decode

PHOTOS, SIDE = 20_000, 96  # small photos: the larger they are, the less anything but decoding counts
ROUND = 200  # photos read in one way before they are read in the other


def main() -> None:
    """Take turns, so that a busy machine slows both."""
    run = BenchmarkParser("dataset_reads", __doc__).start()
    encoded = [jpeg(number, SIDE) for number in range(PHOTOS)]
    with tempfile.TemporaryDirectory() as shards:
        photos = (Photo(f"{i}.jpg", f"{i % 100}", data, split="train") for i, data in enumerate(encoded))
        version, _ = write_version(photos, shards, limits=ShardLimits(max_photos=1000))
        order = np.random.default_rng(0).permutation(PHOTOS).tolist()
        ratios, speeds = [], []
        for start in range(0, PHOTOS, ROUND):
            rows = order[start : start + ROUND]
            memory = _seconds(lambda i: decode(encoded[i]), rows)
            mapped = _seconds(version.pixels, rows)
            ratios.append(memory / mapped)
            speeds.append(ROUND / mapped)
    figures = {
        "speed_ratio": round(statistics.median(ratios), 3),
        "photos_per_second": round(statistics.median(speeds)),
        "photos": PHOTOS,
        "side": SIDE,
    }
    run.save(figures)


def _seconds(read: Callable[[int], object], rows: Sequence[int]) -> float:
    start = time.perf_counter()
    for row in rows:
        read(row)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
