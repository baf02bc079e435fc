"""What every source of photos yields, and what every source must offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from edge_runtime.core.images import Box

Split = Literal["train", "validation", "test"]
Role = Literal["gallery", "query"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
ROLES: tuple[Role, ...] = ("gallery", "query")


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo, or one thing in a photo, as its source holds it.

    Args:
        name: its path inside the source, for messages and lineage.
        label: the class it shows; None where nobody has said.
        data: the encoded image, or how to get it; `load` asks for it, in a thread of its own.
        box: where the thing is: (left, top, right, bottom), pixels of the upright picture; None is the whole picture.
        split: the source's own split, or None where the split is ours to choose.
        role: the source's own role, gallery (enrolled) or query (asked), or None likewise.
        group: photos of one group (one object, one tray) stay on one side of a split.
        captured_at: when it was taken; where it is None, the picture's own EXIF is asked.
        margin: what is shown around the box, as a share of its width and height.
        stamp: changes whenever the encoded image may have changed; None where only reading it would tell.
        note: why it has no label, one sentence, where its source knows.
    """

    name: str
    label: str | None
    data: bytes | Callable[[], bytes]
    box: Box | None = None
    split: Split | None = None
    role: Role | None = None
    group: str | None = None
    captured_at: datetime | None = None
    margin: float = 0.0
    stamp: str | None = None
    note: str | None = None

    def load(self) -> bytes:
        """The encoded image.

        Raises:
            DataError: it cannot be read.
        """
        return self.data() if callable(self.data) else self.data


class Source(Protocol):
    """Where labelled photos come from."""

    name: str

    def fingerprint(self) -> str:
        """A cheap hash that changes whenever a listing, a size, a time of change or a setting changes."""

    def __len__(self) -> int:
        """How many photos there are, for progress."""

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; none is read before it is loaded, and loading works in any thread.

        Raises:
            DataError: the source cannot be read.
        """
