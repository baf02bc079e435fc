"""Keys of configs that were renamed: a config with a former key is told the new one, and an old run is understood."""

from __future__ import annotations

from typing import Any

# A key counts as renamed only where today's name is known and the former one is not.
FORMER_KEYS = {
    "candidate": "packaging",
    "detection_loss": "tpir_loss",
    "judge": "compare",
    "least_stranger_refusal": "least_tnir",
    "precision": "numeric_format",
    "refusal_worse_by": "tnir_worse_by",
    "stranger_share": "unknown_share",
    "strangers": "unknowns",
}
# Keys that nothing took the place of, with the reason.
DROPPED_KEYS = {
    "class_queries": "a class with too few queries to show a loss is told by itself",
    "gallery": "the release carries the gallery that its training config names",
    "resamples": "the intervals of a promotion are computed without draws",
}


def renamed(tree: Any) -> Any:
    """Return a tree of mappings and lists with every former key under its name of today."""
    if isinstance(tree, dict):
        return {FORMER_KEYS.get(key, key): renamed(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [renamed(item) for item in tree]
    return tree
