"""Look at all photos once, as the data pipeline will: ingest them into a folder that is thrown away, and check them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Kind, Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.datasets.splits.assign import SplitConfig
from discern.errors import DataError
from discern.progress import bar
from discern.quality.checks import CheckReport, check_version
from discern.sources.base import Source
from discern.sources.registry import SourceConfig, open_source
from discern.use_cases.layout import Layout
from discern.use_cases.picture_kind import SEEN, kind_of
from discern.use_cases.proposal import STRICT, count_rows, propose_splits
from discern.use_cases.stopwatch import Stopwatch
from discern.use_cases.summary import FailedCondition, LeftOut, PhotoSetSummary, SplitCounts

SEEN_PHOTOS = 40  # whose colours are looked at


@dataclass(frozen=True)
class Look:
    """What a look at the photos gave.

    Attributes:
        summary: facts about them.
        splits: how they are split.
        version: the version that came of them; its shards go with their folder.
        ingest: time that reading them took.
        check: time that checking them took.
    """

    summary: PhotoSetSummary
    splits: SplitConfig
    version: DatasetVersion
    ingest: Stopwatch
    check: Stopwatch


def look(layout: Layout, location: str, folder: Path) -> Look:
    """Read all photos and check them.

    Args:
        layout: how they are laid out.
        location: what messages call them.
        folder: where their shards go for the moment.

    Raises:
        DataError: they cannot be used; a sentence for each problem.
    """
    config: SourceConfig = TypeAdapter(SourceConfig).validate_python(dict(layout.source))
    source = open_source(config)
    splits = propose_splits(_labelled(source))
    with Stopwatch() as ingest:
        version, rejected = _ingest(source, splits, folder)
        if splits.session_minutes and not counted(version).can_be_released:
            # All photos of a class within minutes: better an easy question than none.
            splits = splits.model_copy(update={"session_minutes": 0})
            version, rejected = _ingest(source, splits, folder)
    splits = splits.model_copy(update={"by": "photos" if counted(version).by_photos else "classes"})
    with Stopwatch() as check:
        report = check_version(version, rejected=rejected).report
    counts = Counter(version.column("label"))
    if problems := [*_lost_classes(source, counts, location), *_strict_failures(report)]:
        raise DataError("\n".join(problems))
    summary = _summary(layout, location, version, rejected, report)
    return Look(summary, splits, version, ingest, check)


def _labelled(source: Source) -> Mapping[str, int]:
    return Counter(photo.label for photo in source.photos() if photo.label is not None)


def _ingest(source: Source, splits: SplitConfig, folder: Path) -> tuple[DatasetVersion, list[Rejected]]:
    every_photo_may_be_broken = CleaningConfig(max_rejected_share=1.0)
    with bar(total=len(source), name="looking at the photos", unit="photo") as progress:
        return write_version(
            source.photos(),
            str(folder),
            source=source.name,
            splits=splits,
            cleaning=every_photo_may_be_broken,
            progress=lambda taken: progress.update(taken - progress.n),
        )


def _lost_classes(source: Source, counts: Mapping[str, int], location: str) -> list[str]:
    """Return a sentence for each class of which too few photos can be used."""
    return [
        f"class {label} in {location} has {count} photos, and {counts.get(label, 0)} of them can be used: take new "
        "ones, or remove the class."
        for label, count in sorted(_labelled(source).items())
        if counts.get(label, 0) < 2
    ]


def _strict_failures(report: CheckReport) -> list[str]:
    return [
        f"{failed.check}: {failed.condition}: {failed.detail}." for failed in report.failures if failed.check in STRICT
    ]


def _summary(
    layout: Layout, location: str, version: DatasetVersion, rejected: Sequence[Rejected], report: CheckReport
) -> PhotoSetSummary:
    return PhotoSetSummary(
        location=location,
        layout=layout.title,
        photos=dict(sorted(Counter(version.column("label")).items())),
        short_sides=tuple(sorted(_short_sides(version))),
        split=counted(version),
        kind=kind_of(load_photos(_spread(version), SEEN, "looking at their colours").pixels),
        broken=_of_kinds(rejected, "broken"),
        conflicts=_of_kinds(rejected, "conflict"),
        repeated=len(_of_kinds(rejected, "duplicate", "leak", "bridge")),
        unlabelled=len(_of_kinds(rejected, "unlabelled")),
        failed=tuple(FailedCondition(item.check, item.condition, item.detail) for item in report.failures),
    )


def _spread(version: DatasetVersion) -> DatasetVersion:
    """Return some photos, spread over the version."""
    return version.take(np.unique(np.linspace(0, len(version) - 1, SEEN_PHOTOS).astype(int)).tolist())


def _of_kinds(rejected: Sequence[Rejected], *kinds: Kind) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(item.name, item.reason) for item in rejected if item.kind in kinds)


def counted(version: DatasetVersion) -> SplitCounts:
    """Count what the split of a version comes to."""
    columns = (version.column(name) for name in ("label", "split", "role"))
    return count_rows(list(zip(*columns, strict=True)))


def _short_sides(version: DatasetVersion) -> list[int]:
    """Return the shorter side of what each photo shows, pixels."""
    sides = []
    columns = (version.column(name) for name in ("width", "height", "box"))
    for width, height, box in zip(*columns, strict=True):
        shown = (width, height) if box is None else (box[2] - box[0], box[3] - box[1])
        sides.append(int(min(shown)))
    return sides
