"""A small version, its checks and what was left out of it, for the tests of the review page."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from discern.datasets.ingest.rejected import Rejected
from discern.datasets.manifest import DatasetVersion
from discern.quality.checks import Checked
from discern.quality.review import Review
from discern.reports.summary import Origin

ORIGIN = Origin(
    made=datetime(2026, 11, 28, 14, 3, 5, 678, tzinfo=timezone.utc),
    pipeline_run="data_pipeline-7",
    git_commit="86f29a7",
    sources=("folder /photos/<parts>",),
)
REJECTED = [
    Rejected("c01/<b>.jpg", "c01/<b>.jpg is empty (0 bytes): take or copy the photo again."),
    Rejected("c00/copy.jpg", "c00/copy.jpg is the same picture as c00/0.jpg.", "duplicate"),
]


def review(version: DatasetVersion, checked: Checked, rejected: list[Rejected] | None = None, **more: Any) -> Review:
    """Review a version of the use case `parts`."""
    return Review(version, checked, ORIGIN, "parts", rejected or [], **more)


def conflict(version: DatasetVersion, first: str = "c00/it's.jpg", second: str = "c01/x.jpg") -> list[Rejected]:
    """Return two photos that are one picture, the first of the version, under two labels."""
    shard, row = version.column("shard")[0], version.column("row")[0]
    reason = f"{first} ('c00') and {second} ('c01') are one picture under several labels: delete one."
    return [Rejected(name, reason, "conflict", label, shard, row) for name, label in ((first, "c00"), (second, "c01"))]
