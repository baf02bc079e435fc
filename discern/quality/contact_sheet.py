"""The classes of a version, as a person looks them through: how many photos each has, and which of them to show."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.sources.base import SPLITS
from edge_runtime.core.images import Pixels, Preprocessing

CELL = Preprocessing(size=96)
GAP = 2  # pixels between photos
MAX_OF_CLASS = 5  # photos side by side fit a phone
MAX_PHOTOS = 600  # of all classes together: each has to be decoded

Changed = Callable[[Sequence[Pixels]], Sequence[Pixels]]  # photos as they are to photos as training sees them


@dataclass(frozen=True)
class ClassRow:
    """One class of the sheet.

    Attributes:
        label: the class.
        photos: how many it has of each split, those of none left out; in the order of `SPLITS`.
        enrolled: it has a photo in a gallery.
        shown: rows of the version that stand for it, gallery photos first; none beyond `MAX_PHOTOS` of all classes.
    """

    label: str
    photos: dict[str, int]
    enrolled: bool
    shown: tuple[int, ...]

    @property
    def total(self) -> int:
        """Photos of all splits."""
        return sum(self.photos.values())


def class_rows(version: DatasetVersion) -> list[ClassRow]:
    """Return all classes by name, and choose photos of each: up to five, fewer where there are many classes."""
    members_of: dict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(version.column("label")):
        members_of[label].append(row)
    per_class = int(np.clip(MAX_PHOTOS // max(1, len(members_of)), 1, MAX_OF_CLASS))
    splits, roles = version.column("split"), version.column("role")
    rows = []
    for number, (label, members) in enumerate(sorted(members_of.items())):
        counts = Counter(splits[row] for row in members)
        gallery_first = sorted(members, key=lambda row: (roles[row] != "gallery", row))
        rows.append(
            ClassRow(
                label=label,
                photos={split: counts[split] for split in SPLITS if counts[split]},
                enrolled=any(roles[row] == "gallery" for row in members),
                shown=tuple(_spread(gallery_first, per_class)) if number < MAX_PHOTOS else (),
            )
        )
    return rows


def strip(photos: Sequence[Pixels]) -> Pixels:
    """Put photos, uint8 [h, w, 3] each, side by side, with white gaps: uint8 [96, n, 3]."""
    gap = np.full((CELL.size, GAP, 3), 255, np.uint8)
    parts = [part for photo in photos for part in (CELL.apply(photo), gap)]
    return np.concatenate(parts[:-1], axis=1)


def _spread(members: Sequence[int], count: int) -> list[int]:
    """Return `count` of `members`, evenly from first to last."""
    places = np.unique(np.linspace(0, len(members) - 1, min(count, len(members))).astype(int))
    return [members[place] for place in places]
