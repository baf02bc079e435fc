"""The difference between two releases: classes, rule, figures, model, and what a device fetches to go from one to one.

Pure: two releases in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import Release, ReleaseManifest

Changed = Mapping[str, tuple[float | None, float | None]]  # name -> before and after, of what differs


@dataclass(frozen=True)
class ReleaseDiff:
    """What differs.

    Attributes:
        before: id of the older release.
        after: id of the newer one.
        classes: how many are enrolled, before and after.
        added: classes that the newer one alone knows.
        retired: classes that the older one alone knows.
        other_photos: classes of both with other gallery rows; None where the models differ, and nothing tells.
        same_model: whether both embed by the same model, prepared alike.
        rule: settings of the decision rule.
        figures: metrics that both state, or one of them.
        fetched: file -> bytes that a device which has the older release downloads.
        size: bytes of the newer release.
    """

    before: str
    after: str
    classes: tuple[int, int]
    added: tuple[str, ...]
    retired: tuple[str, ...]
    other_photos: tuple[str, ...] | None
    same_model: bool
    rule: Changed
    figures: Changed
    fetched: Mapping[str, int]
    size: int


def diff_releases(before: Release, after: Release) -> ReleaseDiff:
    """Compare two releases.

    Raises:
        ReleaseError: one does not load.
    """
    old, new = before.manifest, after.manifest
    same_model = _model(old) == _model(new)
    return ReleaseDiff(
        before=before.id,
        after=after.id,
        classes=(len(before.labels), len(after.labels)),
        added=tuple(sorted(set(after.labels) - set(before.labels))),
        retired=tuple(sorted(set(before.labels) - set(after.labels))),
        other_photos=_other_photos(before, after) if same_model else None,
        same_model=same_model,
        rule=_changed(old.decision.model_dump(), new.decision.model_dump()),
        figures=_changed(old.metrics, new.metrics),
        fetched=_fetched(old, new),
        size=new.total_bytes,
    )


def _model(manifest: ReleaseManifest) -> tuple[str, object]:
    embedding = manifest.models.embedding
    return manifest.files[embedding.file].sha256, embedding.preprocessing


def _other_photos(before: Release, after: Release) -> tuple[str, ...]:
    """Compare the gallery rows of the classes that both know, in whatever order."""
    old, new = _rows(before), _rows(after)
    return tuple(sorted(label for label in old.keys() & new.keys() if old[label] != new[label]))


def _rows(release: Release) -> dict[str, list[bytes]]:
    index = Identifier(release).index
    rows: dict[str, list[bytes]] = {label: [] for label in release.labels}
    for class_id, vector in zip(index.classes.tolist(), index.vectors, strict=True):
        rows[release.labels[class_id]].append(vector.tobytes())
    return {label: sorted(vectors) for label, vectors in rows.items()}


def _changed(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> Changed:
    names = dict.fromkeys([*before, *after])
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _fetched(before: ReleaseManifest, after: ReleaseManifest) -> dict[str, int]:
    """A device takes a file that it has, under whatever name, from its own disk."""
    here = {entry.sha256 for entry in before.files.values()}
    return {name: entry.bytes for name, entry in after.files.items() if entry.sha256 not in here}
