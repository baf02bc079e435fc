"""What an enrolment changes, and the enrolled photos after it; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from discern.errors import DataError
from discern.releases.enrolment_data import EnrolledPhotos
from discern.suggestions import suggest
from discern.words import counted


@dataclass(frozen=True)
class GalleryChange:
    """What an enrolment changes in a gallery.

    Attributes:
        added: photos that are enrolled; a label may be new or one that is enrolled already.
        replaced: labels of `added` whose earlier photos are dropped.
        retired: labels whose photos are all dropped.
    """

    added: EnrolledPhotos
    replaced: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()

    @property
    def changed(self) -> frozenset[str]:
        """The classes that have other photos afterwards; retired ones are not among them."""
        return frozenset(self.added.labels)


def apply_change(gallery: EnrolledPhotos, change: GalleryChange) -> EnrolledPhotos:
    """Return the enrolled photos after the change; no class holds a photo twice.

    Raises:
        DataError: the change cannot be made; the sentence says all that is wrong with it.
    """
    check_change(gallery, change)
    dropped = change.replaced | change.retired
    kept = gallery.select([label not in dropped for label in gallery.labels])
    held = set(kept.named)
    first = {photo: row for row, photo in reversed(list(enumerate(change.added.named)))}
    new = [photo not in held and first[photo] == row for row, photo in enumerate(change.added.named)]
    return kept.with_further(change.added.select(new))


def check_change(gallery: EnrolledPhotos, change: GalleryChange) -> None:
    """Refuse a change that cannot be made.

    Raises:
        DataError: it retires or replaces what is not enrolled, leaves nothing, or gives a photo two labels.
    """
    enrolled = set(gallery.labels)
    problems = [
        *(
            f"{label!r} is not enrolled ({suggest(label, enrolled, 'check its spelling')})"
            for label in sorted((change.retired | change.replaced) - enrolled)
        ),
        *(f"{label!r} is both retired and enrolled" for label in sorted(change.retired & change.changed)),
        *_two_labels(gallery, change),
    ]
    if change.retired >= enrolled and not change.changed:
        problems.append("no class would be left: a release needs one")
    if problems:
        raise DataError("; ".join(problems) + ": nothing was changed.")


def told(gallery: EnrolledPhotos, change: GalleryChange) -> list[str]:
    """Return what the change does, a line a class."""
    before, added = Counter(gallery.labels), Counter(label for label, _ in set(change.added.named))
    lines = []
    for label, photos in sorted(added.items()):
        if label not in before:
            lines.append(f"{label}: new, {counted(photos, 'photo')}")
        elif label in change.replaced:
            lines.append(f"{label}: {counted(photos, 'photo')} in place of {before[label]}")
        else:
            lines.append(f"{label}: {counted(photos, 'photo')} more, beside {before[label]}")
    return lines + [f"{label}: retired" for label in sorted(change.retired)]


def _two_labels(gallery: EnrolledPhotos, change: GalleryChange) -> list[str]:
    """Name the photos that would be enrolled under two labels."""
    dropped = change.replaced | change.retired
    label_of: dict[str, str] = {}
    found: dict[str, None] = {}
    rows: Sequence[tuple[str, str]] = [
        *((s, label) for s, label in zip(gallery.sha256, gallery.labels, strict=True) if label not in dropped),
        *zip(change.added.sha256, change.added.labels, strict=True),
    ]
    for sha256, label in rows:
        other = label_of.setdefault(sha256, label)
        if other != label:
            found[f"one photo (SHA-256 {sha256[:12]}) would be both {other!r} and {label!r}"] = None
    return list(found)
