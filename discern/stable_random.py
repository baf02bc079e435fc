"""Random choices that depend on a seed and on the name of what is chosen, and on nothing else.

Splits and protocols of data sets rest on these numbers: a change here moves photos between the splits of every data
set. Because a choice does not depend on what else there is to choose from, new photos move few of the old ones.
"""

from __future__ import annotations

import hashlib


def stable_random(seed: int, purpose: str, key: str) -> float:
    """Return a number in [0, 1), uniform over keys.

    Args:
        seed: another seed, other numbers.
        purpose: the choice that is made, so that two choices about one key are independent.
        key: the name of what is chosen.
    """
    return int.from_bytes(_digest(seed, f"{purpose}\0{key}", 8), "big") / 2**64


def stable_sort_key(seed: int, key: str) -> bytes:
    """Return 16 bytes to sort by, so that the first n of many keys are a random sample of them."""
    return _digest(seed, key, 16)


def _digest(seed: int, text: str, size: int) -> bytes:
    """BLAKE2b keyed by the seed. The size is part of what is hashed: a shorter digest is no part of a longer one."""
    return hashlib.blake2b(text.encode(), key=str(seed).encode(), digest_size=size).digest()
