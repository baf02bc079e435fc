"""Photos of validation and test that have a twin in training, as official splits often do."""

from __future__ import annotations

from collections.abc import Iterator

from discern.datasets.manifest import DatasetVersion
from discern.quality.checks.model import Condition, Finding, PhotoSets
from discern.quality.checks.rows import SHOWN_PAIRS
from discern.words import counted


def findings(version: DatasetVersion) -> Iterator[Finding]:
    """Ask of validation and of test how many photos nearly repeat one that trains, whatever its class."""
    for split in ("validation", "test"):
        total = version.column("split").count(split)
        twins = twins_in_training(version, split)
        yield Condition(
            check="leakage",
            condition=f"no {split} photo has a twin in training",
            passed=not twins,
            detail=f"{len(twins):,} of {counted(total, 'photo')}",
        )
        if twins:
            title = f"{counted(len(twins), f'{split} photo')} with a twin in training"
            yield PhotoSets("leakage", title, tuple(twins[:SHOWN_PAIRS]), hidden=max(0, len(twins) - SHOWN_PAIRS))


def twins_in_training(version: DatasetVersion, split: str) -> list[tuple[int, int]]:
    """Return each photo of a split that has near-duplicates in training, with one of these."""
    sets = list(zip(version.column("split"), version.column("near_duplicates"), strict=True))
    trained: dict[str, int] = {}
    for row, (side, name) in enumerate(sets):
        if side == "train" and name is not None:
            trained.setdefault(name, row)
    return [(row, trained[name]) for row, (side, name) in enumerate(sets) if side == split and name in trained]
