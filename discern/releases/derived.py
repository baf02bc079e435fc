"""A release with the model of another one and another gallery.

Rules kept:
- the files that a device has stay byte for byte: model, golden images, vectors, graph and pictures of the release that
  it derives from; what is new lies in files of its own beside them;
- a class whose photos did not change keeps its rows;
- where much lies beside the graph or is retired in it, all is built anew, and devices fetch it once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from discern.errors import PublicationError
from discern.evaluation.gallery import Gallery, Vectors
from discern.releases.build import file_entry, json_bytes, write_manifest, write_zip
from discern.releases.enrolment_data import EnrolmentData
from discern.storage.atomic_folder import is_free, new_folder
from edge_runtime.core.decision import Calibrator, DecisionRule
from edge_runtime.core.index import ADDED_FILE, GRAPH_FILE, VECTORS_FILE, GalleryIndex, load_vectors
from edge_runtime.core.release import (
    ADDED_THUMBNAILS_FILE,
    CATALOGUE_FILE,
    ENROLMENT_FILE,
    FORMAT,
    GOLDEN_IMAGES_FILE,
    GOLDEN_VECTORS_FILE,
    THUMBNAILS_FILE,
    Lineage,
    Release,
    open_release,
)
from edge_runtime.core.selftest import run_selftest
from edge_runtime.errors import EdgeError

FEW_ROWS = 1000  # beside the graph or retired in it, which cost 0.03 ms a search and little disk
SHARE_OF_GRAPH = 5  # one in so many rows of a large graph


@dataclass(frozen=True)
class DerivedParts:
    """What a derived release has of its own.

    Attributes:
        gallery: the enrolled classes.
        unchanged: those whose items are the ones of the release that it derives from.
        thumbnails: a reference picture, JPEG, of each class that has another one or none there.
        rule: the decision rule, fitted for this gallery.
        calibrator: states the probability of an answer, if one could be fitted.
        metrics: finite numbers that travel with the release.
        counts: what else there is to count, beside classes, gallery items and golden images.
        enrolment: what the next enrolment needs.
        lineage: the origin of the release.
    """

    gallery: Gallery
    unchanged: frozenset[str]
    thumbnails: Mapping[str, bytes]
    rule: DecisionRule
    calibrator: Calibrator | None
    metrics: Mapping[str, float]
    counts: Mapping[str, int]
    enrolment: EnrolmentData
    lineage: Lineage


def build_derived(folder: Path, base: Release, parts: DerivedParts) -> Release:
    """Build, check and return a release with the model of `base`.

    Args:
        folder: the release's folder; absent or empty.
        base: the release that it derives from.
        parts: what differs.

    Raises:
        PublicationError: something is missing or wrong; nothing is left at `folder`.
    """
    if not is_free(folder):
        raise PublicationError(f"{folder} exists already: a release is never changed, name another folder.")
    try:
        with new_folder(folder) as staging:
            identity = write_manifest(staging, _write_files(staging, base, parts))
            staging.chmod(0o755)
            open_release(staging, identity)
            run_selftest(staging, identity)
        return open_release(folder, identity)
    except (EdgeError, OSError) as error:
        raise PublicationError(
            f"release {base.manifest.name!r} with another gallery cannot be built: {error}"
        ) from error


def _write_files(folder: Path, base: Release, parts: DerivedParts) -> dict[str, Any]:
    """Write every file but `release.json`, whose content is returned."""
    for name in (*base.manifest.models.files, GOLDEN_IMAGES_FILE, GOLDEN_VECTORS_FILE):
        _take(base, folder, name)
    rows = _Rows.of(base, parts)
    entries = _new_gallery(folder, base, parts) if rows.are_many else _same_gallery(folder, base, parts, rows)
    (folder / CATALOGUE_FILE).write_bytes(json_bytes({"classes": entries}))
    files = {path.name: file_entry(path) for path in sorted(folder.iterdir())}
    (folder / ENROLMENT_FILE).write_bytes(parts.enrolment.to_bytes())
    manifest = base.manifest.model_dump(mode="json")
    return {
        **manifest,
        "format": FORMAT,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "files": files,
        "decision": asdict(parts.rule),
        "calibration": None if parts.calibrator is None else asdict(parts.calibrator),
        "counts": {
            **parts.counts,
            "classes": len(parts.gallery.labels),
            "gallery": len(parts.gallery.vectors),
            "golden": base.manifest.counts.golden,
        },
        "metrics": {name: float(value) for name, value in sorted(parts.metrics.items())},
        "lineage": parts.lineage.model_dump(),
        "enrolment": file_entry(folder / ENROLMENT_FILE),
    }


@dataclass(frozen=True)
class _Rows:
    """Where the items lie: in the files of the base, or beside its graph.

    Attributes:
        of_class: [items] rows of each class, by label; counted on behind the graph's rows for those in `added`.
        added: [a, d] the rows beside the graph.
        graph: rows of the graph.
    """

    of_class: Mapping[str, NDArray[np.int64]]
    added: Vectors
    graph: int

    @classmethod
    def of(cls, base: Release, parts: DerivedParts) -> _Rows:
        """Keep the rows of unchanged classes, and put all other items beside the graph."""
        layout, vectors = base.gallery_layout, load_vectors(base.folder / VECTORS_FILE, base.dim)
        old_rows = np.arange(len(layout.classes)) if layout.rows is None else layout.rows
        old_added = load_vectors(base.folder / ADDED_FILE, base.dim) if layout.has_added else vectors[:0]
        number_of = {label: number for number, label in enumerate(base.labels)}
        of_class: dict[str, NDArray[np.int64]] = {}
        added: list[Vectors] = []
        following = count(len(vectors))
        for number, label in enumerate(parts.gallery.labels):
            if label in parts.unchanged:
                rows = old_rows[layout.classes == number_of[label]]
                in_graph = rows[rows < len(vectors)]
                beside = old_added[rows[rows >= len(vectors)] - len(vectors)]
            else:
                in_graph = np.empty(0, dtype=np.int64)
                beside = parts.gallery.vectors[parts.gallery.class_ids == number]
            places = [next(following) for _ in beside]
            of_class[label] = np.concatenate([in_graph, np.array(places, dtype=np.int64)])
            added.append(beside)
        return cls(of_class, np.concatenate([vectors[:0], *added]), len(vectors))

    @property
    def are_many(self) -> bool:
        """Whether so much lies beside the graph, or is retired in it, that it is built anew."""
        in_graph = sum(int((rows < self.graph).sum()) for rows in self.of_class.values())
        return len(self.added) + self.graph - in_graph > max(FEW_ROWS, self.graph // SHARE_OF_GRAPH)


def _same_gallery(folder: Path, base: Release, parts: DerivedParts, rows: _Rows) -> list[dict[str, Any]]:
    """Write what lies beside the files of the base; returns the catalogue."""
    for name in (VECTORS_FILE, GRAPH_FILE, THUMBNAILS_FILE):
        _take(base, folder, name)
    if len(rows.added):
        np.save(folder / ADDED_FILE, rows.added, allow_pickle=False)
    numbers = _write_added_thumbnails(folder, base, parts)
    return [
        {**_entry(parts.gallery, number), "rows": _spans(rows.of_class[label]), "thumbnail": numbers[label]}
        for number, label in enumerate(parts.gallery.labels)
    ]


def _new_gallery(folder: Path, base: Release, parts: DerivedParts) -> list[dict[str, Any]]:
    """Write vectors, graph and pictures anew; returns the catalogue."""
    gallery = parts.gallery
    GalleryIndex.build(gallery.vectors, gallery.class_ids, base.index_parameters, gallery.offsets).save(folder)
    pictures = {label: _picture(base, parts, label) for label in gallery.labels}
    write_zip(folder / THUMBNAILS_FILE, {f"{n}.jpg": pictures[label] for n, label in enumerate(gallery.labels)})
    return [_entry(gallery, number) for number in range(len(gallery.labels))]


def _entry(gallery: Gallery, number: int) -> dict[str, Any]:
    return {
        "label": gallery.labels[number],
        "items": int((gallery.class_ids == number).sum()),
        "offset": 0.0 if gallery.offsets is None else float(gallery.offsets[number]),
    }


def _spans(rows: NDArray[np.int64]) -> list[list[int]]:
    """Return rows as spans of (first row, number of rows), in their order."""
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
    lengths = np.diff(np.append(starts, len(rows)))
    return [[int(rows[start]), int(length)] for start, length in zip(starts, lengths, strict=True)]


def _write_added_thumbnails(folder: Path, base: Release, parts: DerivedParts) -> dict[str, int]:
    """Write the pictures that the base's own file lacks; returns the number of each class's picture."""
    numbers = {label: _number(base, place) for place, label in enumerate(base.labels)}
    own = _pictures_in(base)
    free = count(1 + max(own | set(numbers.values())))
    added: dict[str, bytes] = {}
    result = {}
    for label in parts.gallery.labels:
        if label in parts.thumbnails:
            result[label] = next(free)
        else:
            result[label] = numbers[label]
        if result[label] not in own:
            added[f"{result[label]}.jpg"] = _picture(base, parts, label)
    if added:
        write_zip(folder / ADDED_THUMBNAILS_FILE, added)
    return result


def _number(base: Release, place: int) -> int:
    number = base.catalogue[place].thumbnail
    return place if number is None else number


def _pictures_in(base: Release) -> set[int]:
    """Return the numbers of the pictures in the base's `thumbnails.zip`."""
    return {int(Path(name).stem) for name in base.members(THUMBNAILS_FILE)}


def _picture(base: Release, parts: DerivedParts, label: str) -> bytes:
    if label in parts.thumbnails:
        return parts.thumbnails[label]
    return base.thumbnail(base.labels.index(label))


def _take(base: Release, folder: Path, name: str) -> None:
    """Put a file of the base into `folder`; a hard link where the disk can, as neither is ever written to again."""
    try:
        os.link(base.folder / name, folder / name)
    except OSError:
        shutil.copyfile(base.folder / name, folder / name)
