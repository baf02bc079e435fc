"""The photos of a use case's own source, and those that were enrolled without training beside it."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from discern.sources.base import SPLITS, Photo, Source, Split
from discern.sources.enrolled.source import EnrolledSource
from discern.sources.union import Member, UnionSource


class SourceWithEnrolments(Source):
    """First the photos of the own source, which keep their names, then the enrolled ones as `enrolled/NAME`.

    Where the own source splits its photos, the splits' own rule would have to hold classes out of the few that were
    enrolled. So an enrolled class of which it has no photo trains; one whose photos were replaced stays in their split.

    Args:
        own: the source, or the union of several.
        enrolled: what was enrolled.
    """

    def __init__(self, own: Source, enrolled: EnrolledSource) -> None:
        self._own, self._enrolled = own, enrolled
        self.name, self.is_live, self.has_full_names = own.name, own.is_live, own.has_full_names
        self.withdrawals = enrolled.withdrawals

    def fingerprint(self) -> str:
        """Return a hash of both fingerprints."""
        parts = [self._own.fingerprint(), self._enrolled.fingerprint()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._own) + len(self._enrolled)

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; none is read before it is loaded.

        Raises:
            DataError: the own source cannot be read.
        """
        splits: dict[str | None, set[Split]] = defaultdict(set)  # that the own source gives photos of a class
        for photo in self._own.photos():
            splits[photo.label].update([photo.split] if photo.split else [])
            yield photo
        is_split = any(splits.values())
        for photo in UnionSource([Member(self._enrolled.name, self._enrolled)]).photos():
            joins = photo.label in splits and photo.label not in self.withdrawals
            yield photo if joins or not is_split else replace(photo, split=_split(splits.get(photo.label, set())))


def _split(of_class: set[Split]) -> Split:
    """Return the split of a class that the own source has no photos of, or none that count."""
    return next((split for split in SPLITS if split in of_class), "train")
