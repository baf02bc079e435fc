"""The facts about some photos that decide how a use case is set up, and how a person is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from discern.quality.checks.model import Check
from discern.use_cases.picture_kind import PictureKind
from discern.words import counted

SHOWN = 5  # names in a list


@dataclass(frozen=True)
class SplitCounts:
    """What a split of the photos comes to.

    Attributes:
        train: photos of each class that trains, sorted.
        validation_enrolled: validation queries of classes that are enrolled.
        validation_unknown: validation queries of classes that are not.
        test_enrolled: likewise of the test split.
        test_unknown: likewise.
        unknown_classes: the classes whose photos are all asked as unknown, sorted.
        by_photos: photos are held out of classes that train.
        unasked_classes: the classes of such a split of which validation or test asks nothing, sorted.
    """

    train: tuple[int, ...]
    validation_enrolled: int
    validation_unknown: int
    test_enrolled: int
    test_unknown: int
    unknown_classes: tuple[str, ...] = ()
    by_photos: bool = False
    unasked_classes: tuple[str, ...] = ()

    @property
    def can_be_released(self) -> bool:
        """A rule can be fitted on the validation queries, and the test split measures it."""
        return self.validation_enrolled > 0 and self.test_enrolled > 0


@dataclass(frozen=True)
class FailedCondition:
    """A condition of the data checks that the photos do not meet."""

    check: Check
    condition: str
    detail: str


@dataclass(frozen=True)
class LeftOut:
    """A photo that goes into no version.

    Attributes:
        name: its path inside the source.
        reason: one sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class PhotoSetSummary:
    """Facts about some photos.

    Attributes:
        location: the path or address that they were found at.
        layout: how they are laid out, in words.
        photos: usable photos of each class.
        short_sides: the shorter side of what each photo shows (its box, if there is one), pixels, sorted.
        broken: photos that cannot be used.
        conflicts: photos whose picture lies under another label too.
        repeated: number of photos that are in the set already.
        unlabelled: number of photos whose class nobody said.
        failed: conditions of the data checks that are not met.
        split: what the proposed split comes to.
        kind: photos in colour, or something else.
    """

    location: str
    layout: str
    photos: Mapping[str, int]
    short_sides: tuple[int, ...]
    split: SplitCounts
    kind: PictureKind = "photos"
    broken: tuple[LeftOut, ...] = ()
    conflicts: tuple[LeftOut, ...] = ()
    repeated: int = 0
    unlabelled: int = 0
    failed: tuple[FailedCondition, ...] = ()

    @property
    def taken(self) -> int:
        """Number of all photos, those that are left out too."""
        left_out = len(self.broken) + len(self.conflicts) + self.repeated + self.unlabelled
        return sum(self.photos.values()) + left_out

    @property
    def median_short_side(self) -> int:
        """Median of the shorter sides, pixels."""
        return int(median(self.short_sides))


def described(summary: PhotoSetSummary) -> Iterator[str]:
    """Yield a line for each thing worth knowing about the photos."""
    counts = sorted(summary.photos.values())
    yield (
        f"{summary.location}: {summary.layout}, {sum(counts):,} usable photos of {counted(len(counts), 'class')} "
        f"({counts[0]} to {counts[-1]} photos a class, median {median(counts):g})."
    )
    sides = summary.short_sides
    yield f"The shorter side of what they show is {sides[0]} to {sides[-1]} pixels, median {summary.median_short_side}."
    if summary.broken:
        yield f"{counted(len(summary.broken), 'photo')} cannot be used and will be left out:"
        yield from _indented(summary.broken)
    if summary.conflicts:
        yield f"{counted(len(summary.conflicts), 'photo')} will be left out until somebody decides on its class:"
        yield from _indented(summary.conflicts)
    if summary.repeated:
        yield f"{counted(summary.repeated, 'photo')} will be left out as a copy of another of its class."
    if summary.unlabelled:
        yield f"{counted(summary.unlabelled, 'photo')} without a label will be left out."
    if summary.failed:
        yield "Look at these before you rely on an answer; the report of `discern data run` shows the photos:"
        for failed in summary.failed:
            yield f"  {failed.check}: {failed.condition}: {failed.detail}"


def listed(names: Sequence[str]) -> str:
    """Return some names and the number of the others."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _indented(photos: Sequence[LeftOut]) -> Iterator[str]:
    reasons = list(dict.fromkeys(photo.reason for photo in photos))
    yield from (f"  {reason}" for reason in reasons[:SHOWN])
    if len(reasons) > SHOWN:
        yield f"  and {len(reasons) - SHOWN} more"
