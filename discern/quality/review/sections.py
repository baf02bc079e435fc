"""The sections of the review page, each as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from discern.datasets.diff import VersionDiff, labelled_by
from discern.datasets.ingest.rejected import KINDS, Kind, Rejected
from discern.datasets.manifest import DatasetVersion
from discern.quality.checks import CheckReport, Condition, Photos, Plot
from discern.quality.checks.model import TITLES, Checked
from discern.quality.contact_sheet import MAX_CLASSES, Changed, class_rows
from discern.quality.review.photo_book import PhotoBook
from discern.sources.base import ROLES, SPLITS

SHOWN_REJECTS = 200  # rows of the table
REJECT_PICTURES = 24
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


def head(title: str, version: DatasetVersion, report: CheckReport) -> str:
    """The verdict in one line."""
    waived = sum(not one.passed and one.waived is not None for one in report.conditions)
    passed = sum(one.passed for one in report.conditions)
    kind, word = ("good", "Fit to train on") if report.passed else ("bad", "Not fit to train on")
    parts = [f"{passed} of {len(report.conditions)} conditions met"]
    parts += [f"{len(report.failures)} failed"] if report.failures else []
    parts += [f"{waived} waived"] if waived else []
    return (
        f'<h1>{escape(title)}</h1><p class="verdict {kind}">{word}: {", ".join(parts)}.</p>'
        f'<p class="muted">{_size(version)}</p>'
        '<nav><a href="#conditions">Conditions</a><a href="#changes">Changes</a><a href="#photos">Photos</a>'
        '<a href="#rejected">Left out</a><a href="#figures">Worth a look</a><a href="#classes">Classes</a></nav>'
    )


def conditions(report: CheckReport) -> str:
    """Every condition with its result, failures first, each waiver with its reason."""
    order = sorted(report.conditions, key=lambda one: (one.passed, one.waived is not None))
    rows = "".join(_condition(one) for one in order)
    return _section(
        "conditions", "Conditions", _table(["Check", "Condition", "Result", "What was found"], rows, "conditions")
    )


def _condition(one: Condition) -> str:
    kind, word = ("good", "met") if one.passed else ("bad", "failed") if one.waived is None else ("wait", "waived")
    detail = escape(one.detail) + (f"<br>Waived: {escape(one.waived)}" if one.waived is not None else "")
    name = f'{escape(TITLES[one.check])}<br><span class="muted">{one.check}</span>'
    return (
        f"<tr><td>{name}</td><td>{escape(one.condition)}</td>"
        f'<td class="result {kind}">{word}</td><td>{detail}</td></tr>'
    )


def counts(version: DatasetVersion) -> str:
    """Photos and classes of every split."""
    rows = []
    has_negatives = len(version.negatives()) > 0
    for split in SPLITS:
        part = version.select(split)
        gallery, queries = (part.select(role=role) for role in ROLES)
        enrolled = {*gallery.labels, *version.select("train", "gallery").labels}
        unknowns = set(queries.labels) - enrolled
        cells = [len(part.labels), len(gallery), len(queries), len(unknowns), len(queries.select(labels=unknowns))]
        cells += [len(part.negatives())] if has_negatives else []
        rows.append(f"<tr><td>{split}</td>" + "".join(f'<td class="number">{cell:,}</td>' for cell in cells) + "</tr>")
    head = ["Split", "Classes", "Gallery photos", "Query photos", "Classes nobody enrols", "Query photos of these"]
    head += ["Empty images"] if has_negatives else []
    note = (
        '<p class="muted">A gallery photo enrols its class; a query is asked, and the right answer is its class, or '
        "&ldquo;unknown&rdquo; where nobody enrols that (an unknown).</p>"
    )
    return _section("photos", "Photos", note + _table(head, "".join(rows), numbers_from=1))


def _size(version: DatasetVersion) -> str:
    pictures, classes = len(set(version.column("sha256"))), len(version.labels)
    things = (
        f"{len(version):,} photos" if pictures == len(version) else f"{len(version):,} things in {pictures:,} photos"
    )
    size = f"{things} of {classes:,} {'class' if classes == 1 else 'classes'}"
    for kind, images in (("empty", version.negatives()), ("unlabelled", version.unlabelled())):
        if count := len(images):
            size += f", {count:,} {kind} {'image' if count == 1 else 'images'}"
    return size


def changed(changes: VersionDiff | None, before: str | None, book: PhotoBook) -> str:
    """Return the section that lists the differences from the version before."""
    if changes is None or before is None:
        return _section("changes", "Changes", "<p>There is no version before this one.</p>")
    link = f'<a href="../{before}/index.html">{before}</a>'
    if changes.is_empty:
        return _section("changes", "Changes", "<p>Nothing changed: this is the version that was there before.</p>")
    rows = "".join(
        f'<tr><td>{title}</td><td class="number">{len(found):,}</td><td>{_examples(found)}</td></tr>'
        for title, found in (("Classes added", changes.classes_added), ("Classes removed", changes.classes_removed))
        if found
    )
    pictures = ""
    for name, title in CHANGES.items():
        found = getattr(changes, name)
        if not found:
            continue
        details = [_change(name, one) for one in found[:CHANGE_NAMES]]
        more = f"<br>and {len(found) - CHANGE_NAMES:,} more" if len(found) > CHANGE_NAMES else ""
        rows += f'<tr><td>{title}</td><td class="number">{len(found):,}</td><td>{"<br>".join(details)}{more}</td></tr>'
        if name in {"added", "relabelled"}:
            places = [(one if name == "added" else one.after).row for one in found]
            step = max(1, len(places) // CHANGE_PICTURES)
            shown = book.rows(places[::step][:CHANGE_PICTURES])
            pictures += f"<details open><summary>{title}: some of them</summary>{shown}</details>"
    table = _table(["What", "How many", "Which"], rows)
    return _section("changes", "Changes", f"<p>Compared with version {link}.</p>{table}{pictures}")


def _examples(found: dict[str, int]) -> str:
    names = [f"{escape(label)} ({count:,})" for label, count in list(found.items())[:CHANGE_NAMES]]
    return ", ".join(names) + (f" and {len(found) - CHANGE_NAMES:,} more" if len(found) > CHANGE_NAMES else "")


def _change(kind: str, one: Any) -> str:
    if kind in {"added", "removed"}:
        return f"{escape(one.source)} ({escape(one.shown_label)})"
    before, after = one.before, one.after
    author = labelled_by(after)
    what = {
        "relabelled": f": {before.shown_label} \u2192 {after.shown_label}" + (f" ({author})" if author else ""),
        "moved": f": {before.split} {before.role or ''} \u2192 {after.split} {after.role or ''}",
        "renamed": f" (was {before.source})",
        "attributed": f": {labelled_by(before) or 'import'} \u2192 {author or 'import'}",
    }.get(kind, "")
    return escape(f"{after.source}{what}")


def left_out(rejected: Sequence[Rejected], book: PhotoBook) -> str:
    """Photos that are not in the version: what somebody has to decide first."""
    if not rejected:
        return _section("rejected", "Left out", "<p>Every photo of the source is in this version.</p>")
    kinds: list[Kind] = ["conflict", "leak", "bridge", "broken", "unlabelled", "duplicate"]
    order = sorted(rejected, key=lambda one: kinds.index(one.kind))
    totals = Counter(one.kind for one in rejected)
    summary = "; ".join(f"{kind} ({KINDS[kind]}): {totals[kind]:,}" for kind in kinds if totals[kind])
    pictures = [book.rejected(one) if i < REJECT_PICTURES else "" for i, one in enumerate(order[:SHOWN_REJECTS])]
    rows = "".join(
        f'<tr><td>{escape(one.name)}</td><td class="result">{one.kind}</td><td>{picture}</td>'
        f"<td>{escape(one.reason)}</td></tr>"
        for one, picture in zip(order, pictures, strict=False)
    )
    left = len(rejected) - SHOWN_REJECTS
    more = f'<p class="muted">{left:,} more are not shown.</p>' if left > 0 else ""
    table = _table(["Photo", "Kind", "Picture", "Reason"], rows, "rejected")
    return _section("rejected", f"Left out ({len(rejected):,})", f'<p class="muted">{summary}.</p>{table}{more}')


def figures(checked: Checked, book: PhotoBook) -> str:
    """The worst photos of every check, and Deepchecks' plots."""
    parts = []
    for check in TITLES:
        found = [one for one in checked.figures if one.check == check]
        if found:
            parts.append(f"<h3>{escape(TITLES[check])}</h3>" + "".join(_figure(one, book) for one in found))
    if not parts:
        return _section("figures", "Worth a look", "<p>There is nothing to show.</p>")
    note = '<p class="muted">Properties are measured by Deepchecks on some photos of each split, scaled down.</p>'
    return _section("figures", "Worth a look", note + "".join(parts))


def _figure(figure: Plot | Photos, book: PhotoBook) -> str:
    title = f"<summary>{escape(figure.title)}</summary>"
    if isinstance(figure, Photos):
        return f"<details open>{title}{book.rows(figure.rows)}</details>"
    spec = figure.spec.replace("<", "\\u003c")  # so that no text in it ends the script element
    return f'<details>{title}<div class="plot"><script type="application/json">{spec}</script></div></details>'


def sheet(version: DatasetVersion, augment: Changed | None) -> str:
    """Some photos of every class, as they are and as training sees them."""
    rows = "".join(
        f"<tr><td>{escape(one.label)}</td><td>{one.split}{', not enrolled' if one.unknown else ''}</td>"
        f'<td class="number">{one.photos:,}</td>'
        f'<td><img alt="photos of {escape(one.label)}" src="{one.strip}">'
        + (f'<img alt="the same, augmented" src="{one.changed}">' if one.changed else "")
        + "</td></tr>"
        for one in class_rows(version, change=augment)
    )
    left = len(version.labels) - MAX_CLASSES
    more = f'<p class="muted">{left:,} more classes are not shown.</p>' if left > 0 else ""
    shown = "Some of them; below each, as training changes it" if augment else "Some of them"
    head = ["Class", "Split", "Photos", shown]
    return _section("classes", "Classes", _table(head, rows, kind="sheet") + more)


def _table(head: Iterable[str], rows: str, kind: str = "", numbers_from: int | None = None) -> str:
    cells = "".join(
        f'<th class="number">{name}</th>' if numbers_from is not None and i >= numbers_from else f"<th>{name}</th>"
        for i, name in enumerate(head)
    )
    return f'<div class="scroll"><table class="{kind}"><tr>{cells}</tr>{rows}</table></div>'


def _section(anchor: str, title: str, content: str) -> str:
    return f'<h2 id="{anchor}">{title}</h2>{content}'
