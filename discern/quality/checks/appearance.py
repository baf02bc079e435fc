"""Photos to look at by what they look like: those like another class, and those unlike their own. No condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from discern.datasets.appearance import vectors
from discern.datasets.manifest import DatasetVersion
from discern.evaluation.suspects import Outlier, Suspect, Suspects, find_suspects
from discern.quality.checks.model import Check, PhotoSets


def findings(version: DatasetVersion) -> Iterator[PhotoSets]:
    """Yield photos, each with its neighbour, the worst first; nothing for a version that has no appearances."""
    if not version.table["appearance"].null_count:
        yield from photos_of(suspects(version))


def suspects(version: DatasetVersion) -> Suspects:
    """Find suspects by the cheap vectors of a version whose photos have appearances."""
    return find_suspects(
        vectors(version.column("appearance")), version.column("label"), version.column("near_duplicates")
    )


def photos_of(found: Suspects) -> Iterator[PhotoSets]:
    """Yield the lists that hold something."""
    title = "Photos that look more like another class than like their own, each with the nearest of that class"
    yield from _photos("other_class", title, found.of_another_class)
    title = "Photos far from the others of their class, each with the nearest of these"
    yield from _photos("class_outliers", title, found.outliers)


def _photos(check: Check, title: str, found: Sequence[Suspect | Outlier]) -> Iterator[PhotoSets]:
    if found:
        yield PhotoSets(check, title, tuple((one.row, one.neighbour) for one in found))
