"""Seeds that a step's number fixes, so that a resumed training draws what an unbroken one would have drawn.

What a step draws at random has a stream of its own, so that one part that draws more moves no other part.
"""

from __future__ import annotations

import numpy as np

AUGMENTATION, LEARNING = 1, 2  # streams: changes to the photos; dropout, and losses and miners that sample
PROCESS_STRIDE = 1_000_003  # between the seeds of two processes of one training


def process_seed(seed: int, process: int) -> int:
    """Return the seed of one of several processes, which draw batches of their own; process 0 has `seed` itself."""
    return seed + PROCESS_STRIDE * process


def step_seed(seed: int, step: int, stream: int) -> int:
    """Return a seed, in [0, 2^63), for one stream of one step."""
    return int(np.random.SeedSequence((seed, step, stream)).generate_state(1, np.uint64)[0]) >> 1
