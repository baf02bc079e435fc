"""What every source of photos yields, and what every source must offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from edge_runtime.images import Box

Split = Literal["train", "validation", "test"]
Role = Literal["gallery", "query"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
ROLES: tuple[Role, ...] = ("gallery", "query")


@dataclass(frozen=True)
class Photo:
    """One labelled photo as its source holds it, still encoded.

    Args:
        name: its path inside the source, for messages and lineage.
        label: the class it shows.
        data: the encoded image.
        box: where the thing is: (left, top, right, bottom), pixels of the upright picture; None is the whole picture.
        split: the source's own split, or None where the split is ours to choose.
        role: the source's own role, gallery (enrolled) or query (asked), or None likewise.
        group: photos of one group (one object, one session) stay on one side of a split.
        captured_at: when it was taken.
    """

    name: str
    label: str
    data: bytes
    box: Box | None = None
    split: Split | None = None
    role: Role | None = None
    group: str | None = None
    captured_at: datetime | None = None


class Source(Protocol):
    """Where labelled photos come from."""

    name: str

    def fingerprint(self) -> str:
        """A cheap hash that changes whenever a listing, a size, a time of change or a setting changes."""

    def __len__(self) -> int:
        """How many photos there are, for progress."""

    def photos(self) -> Iterator[Photo]:
        """Stream the photos, one in memory at a time.

        Raises:
            DataError: the source cannot be read.
        """
