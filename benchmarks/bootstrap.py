"""`python -m benchmarks.bootstrap`: seconds of a paired bootstrap of 10,000 draws over 10,000 queries.

The queries are of 1,000 classes, which are drawn whole: `discern.evaluation.significance.paired_gap`. `query_seconds`
takes each query for a class of its own. `jackknife_seconds` is what all intervals of a promotion take on the same
queries. Each is the median of several runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.run import BenchmarkParser
from discern.evaluation.paired_figures import paired_intervals
from discern.evaluation.significance import paired_gap

QUERIES, CLASSES, RESAMPLES = 10_000, 1_000, 10_000
REPETITIONS = 5


def main() -> None:
    """Draw the answers of two models, and time the intervals."""
    run = BenchmarkParser("bootstrap", __doc__).start()
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(CLASSES), QUERIES // CLASSES)
    first, second = (np.where(rng.random(QUERIES) < 0.9, truth, -1) for _ in range(2))
    right = first == truth, second == truth
    classes, queries = [f"{number:05}" for number in truth], [f"{number:05}" for number in range(QUERIES)]
    run.save(
        {
            "seconds": seconds(lambda: paired_gap(*right, classes, resamples=RESAMPLES)),
            "query_seconds": seconds(lambda: paired_gap(*right, queries, resamples=RESAMPLES)),
            "jackknife_seconds": seconds(lambda: paired_intervals(truth, first, second, classes)),
            "queries": QUERIES,
            "resamples": RESAMPLES,
        }
    )


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of `work`."""
    times = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


if __name__ == "__main__":
    main()
