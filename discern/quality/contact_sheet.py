"""A row of photos for every class, as a person looks a data set through."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.reports.html import data_uri
from edge_runtime.core.images import Pixels, Preprocessing

CELL = Preprocessing(size=64)
GAP = 2  # pixels between photos
MAX_CLASSES = 120
MAX_PHOTOS = 250  # of all classes together, so that a page with the sheet stays below 1 MB

Changed = Callable[[Sequence[Pixels]], Sequence[Pixels]]  # photos as they are to photos as training sees them


@dataclass(frozen=True)
class ClassRow:
    """One class of the sheet.

    Args:
        label: the class.
        split: where it is, `train`, `validation`, `test` or several.
        unknown: nobody enrols it.
        photos: how many there are.
        strip: some of them side by side, galleries first, as the address of an image.
        changed: the same ones as training sees them, one random change each; None where that is not asked for.
    """

    label: str
    split: str
    unknown: bool
    photos: int
    strip: str
    changed: str | None


def class_rows(
    version: DatasetVersion, max_classes: int = MAX_CLASSES, change: Changed | None = None
) -> Iterator[ClassRow]:
    """The first `max_classes` classes, held-out ones first, each with one to eight photos."""
    rows: dict[str, list[int]] = defaultdict(list)
    splits, roles = version.column("split"), version.column("role")
    for i, label in enumerate(version.column("label")):
        rows[label].append(i)
    order = sorted(rows, key=lambda label: (any(splits[i] == "train" for i in rows[label]), label))[:max_classes]
    per_class = int(np.clip(MAX_PHOTOS // max(1, len(order)), 2, 8))
    for label in order:
        members = sorted(rows[label], key=lambda i: (roles[i] != "gallery", i))
        photos = [version.pixels(i) for i in _spread(members, per_class)]
        yield ClassRow(
            label=label,
            split=", ".join(Counter(splits[i] for i in members)),
            unknown=all(roles[i] == "query" for i in members),
            photos=len(members),
            strip=strip(photos),
            changed=strip(change(photos)) if change else None,
        )


def strip(photos: Sequence[Pixels]) -> str:
    """Photos, uint8 [h, w, 3] each, side by side, as the address of an image."""
    return data_uri(beside([CELL.apply(photo) for photo in photos]))


def beside(cells: Sequence[Pixels]) -> Pixels:
    """Join pictures of one height, uint8 [h, w, 3], with white gaps."""
    gap = np.full((cells[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for cell in cells for part in (cell, gap)]
    return np.concatenate(parts[:-1], axis=1)


def _spread(members: Sequence[int], count: int) -> list[int]:
    """`count` of `members`, evenly from first to last."""
    places = np.unique(np.linspace(0, len(members) - 1, min(count, len(members))).astype(int))
    return [members[place] for place in places]
