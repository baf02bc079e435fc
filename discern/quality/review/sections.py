"""What the review page shows, as plain values; the templates beside this module say how."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from discern.datasets.diff import DiffRow, RowChange, VersionDiff, labelled_by
from discern.datasets.ingest.rejected import Kind, Rejected
from discern.datasets.manifest import DatasetVersion
from discern.quality.checks import Checked, CheckReport, Condition, Figure, Photos, PhotoSets
from discern.quality.checks.model import TITLES
from discern.quality.contact_sheet import Changed, ClassRow, class_rows
from discern.quality.review.photo_book import PhotoBook, Picture, ShownPhoto
from discern.reports.summary import PICTURES, Verdict
from discern.sources.base import ROLES, SPLITS
from discern.words import counted

SHOWN_REJECTS = 200  # of each kind
REJECT_PICTURES = 24  # likewise
SET_PHOTOS = 240  # of all sets of one check: each has to be decoded
CHANGE_PICTURES = 12  # of each kind of change
CHANGE_NAMES = 10
CHANGES = {
    "added": "Photos added",
    "removed": "Photos removed",
    "relabelled": "Photos relabelled",
    "moved": "Photos moved to another split or role",
    "reboxed": "Boxes changed",
    "renamed": "Files renamed",
    "regrouped": "Group or time changed",
    "attributed": "Labelled by others, or otherwise",
}
LEFT_OUT: dict[Kind, str] = {
    "leak": "In two splits of the source",
    "bridge": "On both sides of a split",
    "broken": "Not usable",
    "unlabelled": "Without a label",
    "duplicate": "Copies of photos of this version",
    "withdrawn": "Of classes that were retired, or whose photos were replaced",
    "enrolled": "Enrolled, and in another source as well",
}
# Where the page shows more of a check than its figures.
EVIDENCE = {"label_conflicts": "left-out", "left_out": "left-out", "class_counts": "classes"}


@dataclass(frozen=True)
class VerdictLine:
    """The answer of the page: `kind` is good or bad, `word` says it, `text` tells why."""

    kind: Verdict
    word: str
    text: str


@dataclass(frozen=True)
class Result:
    """One condition, its mark, and the id of the part of the page that shows more of it, empty where none does."""

    title: str
    condition: Condition
    kind: Verdict
    word: str
    anchor: str = ""


@dataclass(frozen=True)
class Results:
    """All conditions: those to read one by one, the gravest first, and those that are met."""

    noted: tuple[Result, ...]
    met: tuple[Result, ...]


@dataclass(frozen=True)
class SplitCounts:
    """Photos and classes of one split, as `Photos by split` lists them."""

    split: str
    classes: int
    gallery: int
    queries: int
    unknown_classes: int
    unknown_queries: int
    empty: int


@dataclass(frozen=True)
class RejectKind:
    """Photos that were left out for one kind of reason; `hidden` more are not listed."""

    title: str
    total: int
    photos: tuple[tuple[Rejected, Picture | None], ...]
    hidden: int


@dataclass(frozen=True)
class ChangeKind:
    """One kind of change since the version before: some lines, how many more there are, and some photos."""

    title: str
    total: int
    lines: tuple[str, ...]
    hidden: int
    photos: tuple[ShownPhoto, ...] = ()


@dataclass(frozen=True)
class ShownFigure:
    """A plot, as JSON for a script element, or sets of photos; photos that are no set are a single one."""

    title: str
    plot: str = ""
    sets: tuple[tuple[ShownPhoto, ...], ...] = ()
    hidden: int = 0
    folded: bool = False


@dataclass(frozen=True)
class CheckFigures:
    """What one check has to show."""

    check: str
    title: str
    figures: tuple[ShownFigure, ...]


@dataclass(frozen=True)
class ShownClass:
    """A class: its counts, bars in percent of the largest class, and its pictures."""

    row: ClassRow
    bars: dict[str, float]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Classes:
    """All classes by name; `spread` sums up their sizes."""

    spread: str
    shown: tuple[ShownClass, ...]
    augmented: bool


def verdict_line(report: CheckReport) -> VerdictLine:
    """Return whether the version is fit to train on, and how many conditions say so."""
    conditions = report.conditions
    waived = sum(not one.passed and one.waived is not None for one in conditions)
    too_few = sum(one.too_few for one in conditions)
    met = sum(one.passed for one in conditions) - too_few
    parts = [f"{counted(len(report.failures), 'condition')} failed"] if report.failures else []
    parts += [f"{waived} waived"] if waived else []
    parts += [f"{too_few} with too few to tell"] if too_few else []
    parts += [f"{met} met" if parts else f"{counted(met, 'condition')} met"]
    kind: Verdict = "good" if report.passed else "bad"
    return VerdictLine(kind, "Fit to train on" if report.passed else "Not fit to train on", ", ".join(parts))


def results(checked: Checked) -> Results:
    """Return every condition with its result: failed, waived, too few to tell, met."""
    shown = {figure.check for figure in checked.figures}
    found = [_result(one, shown) for one in checked.report.conditions]
    order = ("failed", "waived", "too few to tell")
    noted = sorted((one for one in found if one.word in order), key=lambda one: order.index(one.word))
    return Results(tuple(noted), tuple(one for one in found if one.word == "met"))


def _result(one: Condition, shown: Collection[str]) -> Result:
    anchor = EVIDENCE.get(one.check, f"check-{one.check}" if one.check in shown else "")
    return Result(TITLES[one.check], one, *_mark(one), anchor)


def _mark(one: Condition) -> tuple[Verdict, str]:
    if not one.passed:
        return ("bad", "failed") if one.waived is None else ("wait", "waived")
    return ("wait", "too few to tell") if one.too_few else ("good", "met")


def size(version: DatasetVersion) -> str:
    """Return how many photos and classes there are."""
    pictures = len(set(version.column("sha256")))
    things = counted(pictures, "photo")
    if pictures != len(version):
        things = f"{counted(len(version), 'thing')} in {things}"
    parts = [f"{things} of {counted(len(version.labels), 'class')}"]
    for kind, images in (("empty", version.negatives()), ("unlabelled", version.unlabelled())):
        if len(images):
            parts.append(counted(len(images), f"{kind} image"))
    return ", ".join(parts)


def glance_rows(version: DatasetVersion, count: int = PICTURES) -> list[int]:
    """Return rows of up to `count` classes, evenly from the first to the last by name, one photo each."""
    first_of: dict[str, int] = {}
    for row, label in enumerate(version.column("label")):
        first_of.setdefault(label, row)
    labels = sorted(first_of)
    step = max(1, len(labels) / count)
    return [first_of[labels[int(number * step)]] for number in range(min(count, len(labels)))]


def split_counts(version: DatasetVersion) -> tuple[SplitCounts, ...]:
    """Count photos and classes of every split."""
    found = []
    for split in SPLITS:
        part = version.select(split)
        gallery, queries = (part.select(role=role) for role in ROLES)
        enrolled = {*gallery.labels, *version.select("train", "gallery").labels}
        unknowns = set(queries.labels) - enrolled
        found.append(
            SplitCounts(
                split=split,
                classes=len(part.labels),
                gallery=len(gallery),
                queries=len(queries),
                unknown_classes=len(unknowns),
                unknown_queries=len(queries.select(labels=unknowns)),
                empty=len(part.negatives()),
            )
        )
    return tuple(found)


def reject_kinds(rejected: Sequence[Rejected], book: PhotoBook) -> tuple[RejectKind, ...]:
    """Return what was left out for other reasons than a conflict.

    Raises:
        DataError: a photo cannot be read.
    """
    photos_of = defaultdict(list)
    for one in rejected:
        photos_of[one.kind].append(one)
    found = []
    for kind, title in LEFT_OUT.items():
        photos = photos_of[kind]
        if photos:
            listed = photos[:SHOWN_REJECTS]
            pictures = [*book.rejected(listed[:REJECT_PICTURES])]
            pictures += [None] * (len(listed) - len(pictures))
            shown = tuple(zip(listed, pictures, strict=True))
            found.append(RejectKind(title, len(photos), shown, len(photos) - len(listed)))
    return tuple(found)


def change_kinds(changes: VersionDiff, book: PhotoBook) -> tuple[ChangeKind, ...]:
    """Return the differences from the version before, kind by kind.

    Raises:
        DataError: a photo cannot be read.
    """
    kinds = [
        ChangeKind(title, len(labels), *_first([f"{label}: {counted(n, 'photo')}" for label, n in labels.items()]))
        for title, labels in (("Classes added", changes.classes_added), ("Classes removed", changes.classes_removed))
        if labels
    ]
    for name, title in CHANGES.items():
        found = getattr(changes, name)
        if found:
            lines = _first([_change(name, one) for one in found])
            kinds.append(ChangeKind(title, len(found), *lines, photos=_changed_photos(name, found, book)))
    return tuple(kinds)


def _first(lines: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Return the lines that are shown, and the number of the others."""
    return tuple(lines[:CHANGE_NAMES]), max(0, len(lines) - CHANGE_NAMES)


def _changed_photos(kind: str, found: Sequence[DiffRow | RowChange], book: PhotoBook) -> tuple[ShownPhoto, ...]:
    if kind not in {"added", "relabelled"}:
        return ()
    rows = [one.row if isinstance(one, DiffRow) else one.after.row for one in found]
    step = max(1, len(rows) // CHANGE_PICTURES)
    return book.photos(rows[::step][:CHANGE_PICTURES])


def _change(kind: str, one: DiffRow | RowChange) -> str:
    if isinstance(one, DiffRow):
        return f"{one.source} ({one.shown_label})"
    before, after = one.before, one.after
    author = labelled_by(after)
    what = {
        "relabelled": f": {before.shown_label} \u2192 {after.shown_label}" + (f" ({author})" if author else ""),
        "moved": f": {before.split} {before.role or ''} \u2192 {after.split} {after.role or ''}",
        "renamed": f" (was {before.source})",
        "attributed": f": {labelled_by(before) or 'import'} \u2192 {author or 'import'}",
    }.get(kind, "")
    return f"{after.source}{what}"


def check_figures(checked: Checked, book: PhotoBook) -> tuple[CheckFigures, ...]:
    """Return what the checks have to show, check by check.

    Raises:
        DataError: a photo cannot be read.
    """
    found = []
    for check, title in TITLES.items():
        figures = tuple(_shown_figure(one, book) for one in checked.figures if one.check == check)
        if figures:
            found.append(CheckFigures(check, title, figures))
    return tuple(found)


def _shown_figure(figure: Figure, book: PhotoBook) -> ShownFigure:
    if isinstance(figure, Photos):
        return ShownFigure(figure.title, sets=(book.photos(figure.rows),))
    if isinstance(figure, PhotoSets):
        sets = tuple(_decodable(figure.sets))
        shown = tuple(book.photos(rows, large=False) for rows in sets)
        return ShownFigure(figure.title, sets=shown, hidden=figure.hidden + len(figure.sets) - len(sets), folded=True)
    plot = figure.spec.replace("<", "\\u003c")  # so that no text in it ends the script element
    return ShownFigure(figure.title, plot=plot, folded=True)


def _decodable(sets: Sequence[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Yield the first sets, up to `SET_PHOTOS` photos of all."""
    left = SET_PHOTOS
    for rows in sets:
        left -= len(rows)
        if left < 0:
            return
        yield rows


def classes(version: DatasetVersion, augment: Changed | None, book: PhotoBook) -> Classes:
    """Return all classes with bars of their counts and pictures.

    Raises:
        DataError: a photo cannot be read.
    """
    rows = class_rows(version)
    largest = max(row.total for row in rows)
    strips = book.strips([(row.label, row.shown) for row in rows], augment)
    shown = tuple(
        ShownClass(row, {split: round(100 * n / largest, 1) for split, n in row.photos.items()}, tuple(pictures))
        for row, pictures in zip(rows, strips, strict=True)
    )
    return Classes(_spread(rows), shown, augmented=augment is not None)


def _spread(rows: Sequence[ClassRow]) -> str:
    totals = [row.total for row in rows]
    in_splits = Counter(split for row in rows for split in row.photos)
    splits = ", ".join(f"{split} {in_splits[split]:,}" for split in SPLITS if in_splits[split])
    sizes = f"fewest photos {min(totals):,}, median {median(totals):g}, most {max(totals):,}"
    return f"{counted(len(rows), 'class')} ({splits}); {sizes}"
