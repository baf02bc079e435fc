"""Time that some work takes: as it passed, and as it would pass on a machine that does nothing else."""

from __future__ import annotations

import time
from types import TracebackType


class Stopwatch:
    """Measure a block: `with Stopwatch() as watch: ...`.

    Attributes:
        wall: seconds that passed.
        processor: seconds that this process computed, all its threads together.
    """

    def __init__(self) -> None:
        self.wall = 0.0
        self.processor = 0.0

    def __enter__(self) -> Stopwatch:
        self._wall, self._processor = time.perf_counter(), time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.wall = time.perf_counter() - self._wall
        self.processor = time.process_time() - self._processor

    def quiet(self, threads: int = 1) -> float:
        """Return the seconds that would pass where `threads` share the work and nothing else runs."""
        return min(self.wall, self.processor / threads)
