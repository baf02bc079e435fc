"""What differs between two dataset versions: classes and photos that came, went or changed.

Pure: two manifests in, a list of changes out. A row is one thing in one picture; it is known again by the content of
its picture and by where it is in it, so a file that moved to another folder is no new photo, and one of several boxes
of a picture is not taken for another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from pydantic import BaseModel, ConfigDict

from discern.datasets.manifest import SCHEMA, DatasetVersion
from discern.datasets.row_matching import ManifestColumns, Matched
from edge_runtime.core.images import Box

ROUNDING = 0.01  # pixels; YOLO writes shares with six digits


@dataclass(frozen=True, slots=True)
class DiffRow:
    """What a version says of one photo, or of one thing in it.

    Args:
        row: its place in the version's table.
        source: name of the source, a slash, name of the photo in it.
        label: its class.
        split: train, validation or test.
        role: gallery or query.
        box: left, top, right, bottom in pixels, None for the whole picture.
        margin: shown around the box, as a share of its sides.
    """

    row: int
    source: str
    label: str
    split: str
    role: str
    box: Box | None
    margin: float


@dataclass(frozen=True, slots=True)
class RowChange:
    """One thing as the older version has it and as the newer one has it."""

    before: DiffRow
    after: DiffRow


class VersionDiff(BaseModel):
    """All that differs. A thing that changed in two ways is in two of the lists.

    Args:
        photos: number of rows, before and after.
        classes: number of classes, before and after.
        classes_added: new classes, and how many rows each has.
        classes_removed: classes that are gone, and how many rows each had.
        added: rows of the newer version that the older one does not have, in its order; likewise all that follows.
        removed: rows of the older version that the newer one does not have, in the older one's order.
        relabelled: another label.
        moved: another split or role.
        reboxed: another box or margin.
        renamed: the same picture under the same label from another file.
        regrouped: another group or time of capture.
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

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        return {name: len(value) for name, value in self if name not in {"photos", "classes"}}

    @property
    def is_empty(self) -> bool:
        """Whether both versions say the same, in whatever order."""
        return not any(self.counts.values())

    def lines(self, examples: int = 5) -> Iterator[str]:
        """The changes for a terminal, with at most so many examples of each kind."""
        (photos_before, photos_after), (classes_before, classes_after) = self.photos, self.classes
        yield (
            f"{_count(photos_before, 'photo')} of {_count(classes_before, 'class')} -> "
            f"{_count(photos_after, 'photo')} of {_count(classes_after, 'class')}"
        )
        if self.is_empty:
            yield "no difference"
        for name, what, describe in _KINDS:
            members = getattr(self, name)
            if members:
                yield f"{_count(len(members), what)} {name.removeprefix('classes_')}"
                listed: Iterable[object] = members.items() if isinstance(members, dict) else members
                yield from (f"    {describe(one)}" for one in islice(listed, examples))
                if len(members) > examples:
                    yield f"    and {len(members) - examples:,} more"


def diff_versions(old: DatasetVersion | None, new: DatasetVersion) -> VersionDiff:
    """Find what differs between two versions.

    Args:
        old: the older one; None is one without photos.
        new: the newer one.
    """
    before, after = ManifestColumns(SCHEMA.empty_table() if old is None else old.table), ManifestColumns(new.table)
    matched = Matched(before, after)
    counts_before, counts_after = Counter(before.label), Counter(after.label)

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
        relabelled=changed("label"),
        moved=changed("split", "role"),
        reboxed=tuple(one for one in changed("box", "margin") if _is_another_box(one)),
        renamed=tuple(one for one in changed("source") if one.before.label == one.after.label),
        regrouped=changed("group", "captured_at"),
    )


def _is_another_box(one: RowChange) -> bool:
    """Whether a box or its margin differs by more than a format's rounding does."""
    before, after = one.before, one.after
    if before.box is None or after.box is None or before.margin != after.margin:
        return True
    return any(abs(a - b) > ROUNDING for a, b in zip(before.box, after.box, strict=True))


def _row(rows: ManifestColumns, i: int) -> DiffRow:
    return DiffRow(i, rows.source[i], rows.label[i], rows.split[i], rows.role[i], rows.box[i], rows.margin[i])


def _only_in(ours: Counter[str], others: Counter[str]) -> dict[str, int]:
    return {label: ours[label] for label in sorted(ours.keys() - others.keys())}


def _count(number: int, what: str) -> str:
    plural = {"class": "classes", "box": "boxes"}.get(what, f"{what}s")
    return f"{number:,} {what if number == 1 else plural}"


def _shown(text: str) -> str:
    """A name that cannot move a terminal's cursor or break its line."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _of_class(one: tuple[str, int]) -> str:
    return f"{_shown(one[0])} ({_count(one[1], 'photo')})"


def _of_row(one: DiffRow) -> str:
    return f"{_shown(one.source)} ({_shown(one.label)})"


def _of_labels(one: RowChange) -> str:
    return f"{_shown(one.after.source)}: {_shown(one.before.label)} -> {_shown(one.after.label)}"


def _of_places(one: RowChange) -> str:
    places = " -> ".join(f"{row.split} {row.role}" for row in (one.before, one.after))
    return f"{_of_row(one.after)}: {places}"


def _of_boxes(one: RowChange) -> str:
    return f"{_of_row(one.after)}: {_box(one.before)} -> {_box(one.after)}"


def _of_names(one: RowChange) -> str:
    return f"{_shown(one.before.source)} -> {_shown(one.after.source)}"


def _of_after(one: RowChange) -> str:
    return _of_row(one.after)


def _box(row: DiffRow) -> str:
    box = "the whole picture" if row.box is None else ", ".join(f"{side:g}" for side in row.box)
    return f"{box} and {row.margin:.0%} around" if row.margin else box


_KINDS: tuple[tuple[str, str, Callable[..., str]], ...] = (
    ("classes_added", "class", _of_class),
    ("classes_removed", "class", _of_class),
    ("added", "photo", _of_row),
    ("removed", "photo", _of_row),
    ("relabelled", "photo", _of_labels),
    ("moved", "photo", _of_places),
    ("reboxed", "photo", _of_boxes),
    ("renamed", "photo", _of_names),
    ("regrouped", "photo", _of_after),
)
