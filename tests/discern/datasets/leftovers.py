"""What an ingest that did not finish may leave."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow.parquet as pq


def check_whole(folder: Path) -> None:
    """Nothing half-written is there: whole shards, and a journal that tells the next run of them."""
    for path in folder.rglob("*"):
        if path.suffix == ".arrow":
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
        elif path.is_file():
            assert path.parent.parent.name == ".reading"
            assert set(pq.read_table(path)["shard"].to_pylist()) == {path.stem}
            assert (folder / f"{path.stem}.arrow").exists()
