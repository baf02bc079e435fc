"""Photos of a source that are not in the version, each with the reason: nothing disappears silently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from discern.errors import DataError
from discern.sources.base import Photo, Provenance
from edge_runtime.core.images import Box

Kind = Literal["broken", "unlabelled", "withdrawn", "duplicate", "enrolled", "conflict", "leak", "bridge"]
KINDS: dict[Kind, str] = {
    "broken": "cannot be used",
    "unlabelled": "nobody said what it shows",
    "withdrawn": "its class was retired, or its photos were replaced",
    "duplicate": "the version holds it already",
    "enrolled": "another source holds it as well",
    "conflict": "one picture under two labels: somebody has to decide",
    "leak": "the source has the picture in another split too",
    "bridge": "belongs to photos on both sides of a split",
}
# What people wanted so: it says nothing of the photos, and counts in no share.
WANTED: frozenset[Kind] = frozenset({"withdrawn", "enrolled"})

NAMES = 12  # of photos in one message; the page has the others


@dataclass(frozen=True)
class Rejected:
    """One photo that is left out.

    Args:
        name: its path inside the source.
        reason: one sentence; the photos of one conflict share theirs.
        kind: one of `KINDS`.
        label: the class that its source gives it, or the one that was decided on.
        shard: where its picture was stored nevertheless, for people to look at; None where it was not.
        row: its place in that shard.
        box: where the thing is, of a thing in a photo; None is the whole picture.
        provenance: of its label, where it is in a conflict; None otherwise.
    """

    name: str
    reason: str
    kind: Kind = "broken"
    label: str | None = None
    shard: str | None = None
    row: int | None = None
    box: Box | None = None
    provenance: Provenance | None = None

    @property
    def decision_name(self) -> str:
        """The name of the photo, or of the thing in it, in a decision."""
        return decision_name(self.name, self.box)


def decision_name(name: str, box: Box | None) -> str:
    """Return the name of a photo in a decision; a thing in a box is named with it."""
    return name if box is None else f"{name}@{','.join(f'{side:g}' for side in box)}"


def decided_label(photo: Photo, decisions: Mapping[str, str]) -> str | None:
    """Return the label of a photo, or the one that somebody decided on."""
    return decisions.get(decision_name(photo.name, photo.box), photo.label) if decisions else photo.label


def judged(rejected: Iterable[Rejected]) -> list[Rejected]:
    """Return the rejected photos that count in shares."""
    return [reject for reject in rejected if reject.kind not in WANTED]


def check_share(rejected: Sequence[Rejected], taken: int, max_share: float) -> None:
    """Stop if none of `taken` photos can be used, or if too many are broken.

    Raises:
        DataError: there are none at all, all are rejected, or a larger share than `max_share` is broken; the first
            names of each kind are told.
    """
    if not taken:
        raise DataError("the source has no photos: point it at some.")
    if len(rejected) == taken:
        raise DataError(f"none of the {taken:,} photos can be used: {told(rejected)}")
    broken = sum(reject.kind == "broken" for reject in rejected)
    total = taken - len(rejected) + len(judged(rejected))
    if broken > max_share * total:
        raise DataError(
            f"{broken:,} of {total:,} photos cannot be used, and cleaning.max_rejected_share allows {max_share:.1%}: "
            f"{told(rejected)} Mend them, take them out, or raise cleaning.max_rejected_share."
        )


def told(rejected: Sequence[Rejected], names: int = NAMES) -> str:
    """Tell of rejected photos in one line: of each kind how many, the first ones' names, and why the first one."""
    parts = []
    for kind, what in KINDS.items():
        some = [reject for reject in rejected if reject.kind == kind]
        if some:
            listed = list(dict.fromkeys(reject.name for reject in some))
            more = f" and {len(listed) - names:,} more" if len(listed) > names else ""
            parts.append(
                f"{len(some):,} {kind} ({what}): {', '.join(listed[:names])}{more}; {some[0].reason.rstrip('.')}"
            )
    return f"{'. '.join(parts)}."
