"""Which releases of the past a candidate is held against: the best in each figure, by what they state. Pure."""

from __future__ import annotations

from collections.abc import Mapping

# Those that a candidate must not be worse in, and recall@1; of the test queries of each release's own dataset version.
FIGURES = ("accuracy", "precision", "recall", "tpir", "tnir", "recall_at_1")


def best_of_the_past(stated: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the releases that state the highest value of a figure, each once.

    What they state comes of other test sets than today's, so it chooses whom to ask and decides nothing.

    Args:
        stated: figures of each release, newest release first; of equal ones the newer counts.
    """
    best = []
    for figure in FIGURES:
        known = [release for release, figures in stated.items() if figure in figures]
        if known:
            best.append(max(known, key=lambda release: stated[release][figure]))
    return list(dict.fromkeys(best))
