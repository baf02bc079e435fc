"""The difference between two dataset versions: classes and photos that came, went or changed.

Pure: two manifests in, a list of changes out. A row is one thing in one picture, or a picture without one; it is
recognised by the content of its picture and by its box, so a file that moved to another folder is no new photo, and one
of several boxes of a picture is not taken for another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from pydantic import BaseModel, ConfigDict

from discern.datasets.manifest import SCHEMA, DatasetVersion
from discern.datasets.row_matching import ManifestColumns, Matched
from discern.words import counted
from edge_runtime.core.images import Box

ROUNDING = 0.01  # pixels; YOLO writes shares with six digits


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One row of a version.

    Args:
        row: its number in `DatasetVersion.all_rows()`, which has the instances first.
        source: name of the source, a slash, name of the photo in it.
        label: its class; None if it is no instance.
        split: train, validation or test; None if it is unlabelled.
        role: gallery or query; None if it is no instance.
        box: left, top, right, bottom in pixels, None for the whole picture.
        margin: shown around the box, as a share of its sides.
        row_kind: instance, empty or unlabelled.
        labelled_by: who labelled it, if that is known.
        label_method: by what means.
    """

    row: int
    source: str
    label: str | None
    split: str | None
    role: str | None
    box: Box | None
    margin: float
    row_kind: str = "instance"
    labelled_by: str | None = None
    label_method: str | None = None

    @property
    def shown_label(self) -> str:
        """Its class, or its kind where it has none."""
        return self.label if self.label is not None else f"{self.row_kind} image"


@dataclass(frozen=True, slots=True)
class RowChange:
    """One thing as the older version has it and as the newer one has it."""

    before: DiffRow
    after: DiffRow


class VersionDiff(BaseModel):
    """All that differs. A row that changed in two ways is in two of the lists.

    Args:
        photos: number of rows, before and after.
        classes: number of classes, before and after.
        classes_added: new classes, and how many rows each has.
        classes_removed: classes that are gone, and how many rows each had.
        added: rows of the newer version that the older one does not have, in its order; likewise all that follows.
        removed: rows of the older version that the newer one does not have, in the older one's order.
        relabelled: another label, or another kind of row.
        moved: another split or role.
        reboxed: another box or margin.
        renamed: the same picture under the same label from another file.
        regrouped: another group or time of capture.
        attributed: the same label by another person or means, at another time, with another confidence, or of another
            device or release.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    photos: tuple[int, int]
    classes: tuple[int, int]
    classes_added: dict[str, int]
    classes_removed: dict[str, int]
    added: tuple[DiffRow, ...]
    removed: tuple[DiffRow, ...]
    relabelled: tuple[RowChange, ...]
    moved: tuple[RowChange, ...]
    reboxed: tuple[RowChange, ...]
    renamed: tuple[RowChange, ...]
    regrouped: tuple[RowChange, ...]
    attributed: tuple[RowChange, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """The number of changes of each kind."""
        return {name: len(value) for name, value in self if name not in {"photos", "classes"}}

    @property
    def is_empty(self) -> bool:
        """True where both versions say the same, in whatever order."""
        return not any(self.counts.values())

    def lines(self, examples: int = 5) -> Iterator[str]:
        """The changes for a terminal, with at most so many examples of each kind."""
        (photos_before, photos_after), (classes_before, classes_after) = self.photos, self.classes
        yield (
            f"{counted(photos_before, 'photo')} of {counted(classes_before, 'class')} -> "
            f"{counted(photos_after, 'photo')} of {counted(classes_after, 'class')}"
        )
        if self.is_empty:
            yield "no difference"
        for name, noun, describe in _KINDS:
            members = getattr(self, name)
            if members:
                yield f"{counted(len(members), noun)} {name.removeprefix('classes_')}"
                listed: Iterable[object] = members.items() if isinstance(members, dict) else members
                yield from (f"    {describe(member)}" for member in islice(listed, examples))
                if len(members) > examples:
                    yield f"    and {len(members) - examples:,} more"


def diff_versions(old: DatasetVersion | None, new: DatasetVersion) -> VersionDiff:
    """Find what differs between two versions.

    Args:
        old: the older one; None is one without photos.
        new: the newer one.
    """
    before = ManifestColumns(SCHEMA.empty_table() if old is None else old.all_rows().table)
    after = ManifestColumns(new.all_rows().table)
    matched = Matched(before, after)
    counts_before, counts_after = _class_counts(before), _class_counts(after)

    def changed(*columns: str) -> tuple[RowChange, ...]:
        values = [(getattr(before, name), getattr(after, name)) for name in columns]
        return tuple(
            RowChange(_row(before, i), _row(after, j)) for i, j in matched.pairs if any(a[i] != b[j] for a, b in values)
        )

    return VersionDiff(
        photos=(len(before), len(after)),
        classes=(len(counts_before), len(counts_after)),
        classes_added=_only_in(counts_after, counts_before),
        classes_removed=_only_in(counts_before, counts_after),
        added=tuple(_row(after, j) for j in matched.only_after),
        removed=tuple(_row(before, i) for i in matched.only_before),
        relabelled=changed("label", "row_kind"),
        moved=tuple(change for change in changed("split", "role") if _has_moved(change)),
        reboxed=tuple(change for change in changed("box", "margin") if _is_another_box(change)),
        renamed=tuple(change for change in changed("source") if change.before.label == change.after.label),
        regrouped=changed("group", "captured_at"),
        attributed=tuple(change for change in changed("provenance") if not _is_relabelled(change)),
    )


def _class_counts(rows: ManifestColumns) -> Counter[str]:
    return Counter(label for label in rows.label if label is not None)


def _is_relabelled(change: RowChange) -> bool:
    return (change.before.label, change.before.row_kind) != (change.after.label, change.after.row_kind)


def _has_moved(change: RowChange) -> bool:
    """An image that had no split, or no role, until somebody labelled it did not move."""
    before, after = change.before, change.after
    is_another_split = None not in {before.split, after.split} and before.split != after.split
    is_another_role = None not in {before.role, after.role} and before.role != after.role
    return is_another_split or is_another_role


def _is_another_box(change: RowChange) -> bool:
    """Tell whether a box or its margin differs by more than a format's rounding does."""
    before, after = change.before, change.after
    if before.box is None or after.box is None or before.margin != after.margin:
        return True
    return any(abs(a - b) > ROUNDING for a, b in zip(before.box, after.box, strict=True))


def _row(rows: ManifestColumns, i: int) -> DiffRow:
    return DiffRow(
        row=i,
        source=rows.source[i],
        label=rows.label[i],
        split=rows.split[i],
        role=rows.role[i],
        box=rows.box[i],
        margin=rows.margin[i],
        row_kind=rows.row_kind[i],
        labelled_by=rows.labelled_by[i],
        label_method=rows.label_method[i],
    )


def _only_in(counts: Counter[str], others: Counter[str]) -> dict[str, int]:
    return {label: counts[label] for label in sorted(counts.keys() - others.keys())}


def _shown(text: str) -> str:
    """A name that cannot move a terminal's cursor or break its line."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _describe_class(item: tuple[str, int]) -> str:
    label, photos = item
    return f"{_shown(label)} ({counted(photos, 'photo')})"


def _describe_row(row: DiffRow) -> str:
    return f"{_shown(row.source)} ({_shown(row.shown_label)})"


def _describe_labels(change: RowChange) -> str:
    labels = " -> ".join(_shown(row.shown_label) for row in (change.before, change.after))
    author = labelled_by(change.after)
    return f"{_shown(change.after.source)}: {labels}" + (f" ({_shown(author)})" if author else "")


def _describe_assignments(change: RowChange) -> str:
    assignments = " -> ".join(f"{row.split} {row.role or ''}".rstrip() for row in (change.before, change.after))
    return f"{_describe_row(change.after)}: {assignments}"


def _describe_boxes(change: RowChange) -> str:
    return f"{_describe_row(change.after)}: {_box(change.before)} -> {_box(change.after)}"


def _describe_names(change: RowChange) -> str:
    return f"{_shown(change.before.source)} -> {_shown(change.after.source)}"


def _describe_newer(change: RowChange) -> str:
    return _describe_row(change.after)


def _describe_authors(change: RowChange) -> str:
    authors = " -> ".join(_shown(labelled_by(row) or "import") for row in (change.before, change.after))
    return f"{_describe_row(change.after)}: {authors}"


def labelled_by(row: DiffRow) -> str:
    """Return who labelled a row and by what means; nothing where the label came with the data and nobody is named."""
    method = "" if row.label_method in {None, "import"} else f"{row.label_method}"
    if row.labelled_by is None:
        return method
    return f"{method} by {row.labelled_by}".lstrip()


def _box(row: DiffRow) -> str:
    box = "the whole picture" if row.box is None else ", ".join(f"{side:g}" for side in row.box)
    return f"{box} and {row.margin:.0%} around" if row.margin else box


_KINDS: tuple[tuple[str, str, Callable[..., str]], ...] = (
    ("classes_added", "class", _describe_class),
    ("classes_removed", "class", _describe_class),
    ("added", "photo", _describe_row),
    ("removed", "photo", _describe_row),
    ("relabelled", "photo", _describe_labels),
    ("moved", "photo", _describe_assignments),
    ("reboxed", "photo", _describe_boxes),
    ("renamed", "photo", _describe_names),
    ("regrouped", "photo", _describe_newer),
    ("attributed", "photo", _describe_authors),
)
