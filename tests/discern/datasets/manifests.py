"""Manifests without photos, for the tests of what reads nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from discern.datasets.manifest import SCHEMA, DatasetVersion
from edge_runtime.core.images import Box

SIDE = 100  # pixels, of every picture


class Thing(NamedTuple):
    """One row."""

    picture: str
    label: str
    source: str = ""
    box: Box | None = None
    margin: float = 0.0
    split: str = "train"
    role: str = "gallery"
    group: str | None = None
    captured_at: datetime | None = None


def version(*things: Thing) -> DatasetVersion:
    """A version of some things, whose shards do not exist."""
    return DatasetVersion(pa.table(_columns(things), schema=SCHEMA), "nowhere")


def _columns(things: Sequence[Thing]) -> dict[str, list[Any]]:
    told = {name: [getattr(thing, name) for thing in things] for name in Thing._fields if name in SCHEMA.names}
    told |= {
        "sha256": [hashlib.sha256(thing.picture.encode()).hexdigest() for thing in things],
        "source": [thing.source or f"mine/{thing.label}/{thing.picture}.jpg" for thing in things],
        "row": list(range(len(things))),
    }
    fixed = {"shard": "0", "width": SIDE, "height": SIDE, "brightness": 0.5, "sharpness": 1.0, "phash": 0}
    return {name: told.get(name) or [fixed.get(name)] * len(things) for name in SCHEMA.names}
