"""The report of a dataset version: the verdict first, then what there is to see. It opens without a network."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

from discern.data.checks import Checked, CheckReport, Condition, Photos, Plot
from discern.data.checks.model import TITLES
from discern.data.contact_sheet import MAX_CLASSES, class_rows, strip
from discern.data.files import atomic
from discern.data.manifest import DatasetVersion
from discern.data.page import SCRIPT, UNPACK
from discern.data.photos import ROLES, SPLITS
from discern.data.rejected import Rejected
from discern.errors import DataError
from discern.page import STYLE

LIBRARY = "plotly.min.js"
SHOWN_REJECTS = 200


def write_report(
    folder: Path, version: DatasetVersion, checked: Checked, rejected: Sequence[Rejected] = (), library: str = LIBRARY
) -> Path:
    """Write `index.html`, and the one script file that many pages share.

    Args:
        folder: where the page goes.
        version: the dataset version.
        checked: its checks.
        rejected: photos that are not in it.
        library: where the script lies, relative to `folder`; written if it is not there.

    Returns:
        The path of the page.

    Raises:
        DataError: the folder cannot be written, or a photo cannot be read.
    """
    page = folder / "index.html"
    html = _page(version, checked, rejected, f'<script src="{library}" defer></script><script>{SCRIPT}</script>')
    try:
        if not (folder / library).exists():
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / library, _library())
        _write(page, html)
    except OSError as error:
        raise DataError(
            f"the report cannot be written to {folder} ({error.strerror}): choose another folder."
        ) from error
    return page


def report_html(version: DatasetVersion, checked: Checked, rejected: Sequence[Rejected] = ()) -> str:
    """The report as one text of about 2 MB that needs no file beside it.

    Raises:
        DataError: a photo cannot be read.
    """
    packed = base64.b64encode(gzip.compress(_library().encode(), mtime=0)).decode()
    scripts = f'<script type="text/plain" id="library">{packed}</script><script>{SCRIPT}{UNPACK}</script>'
    return _page(version, checked, rejected, scripts)


@lru_cache(maxsize=1)
def _library() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _page(version: DatasetVersion, checked: Checked, rejected: Sequence[Rejected], scripts: str) -> str:
    title = f"Dataset version {version.id}"
    body = [
        _head(title, version, checked.report),
        _conditions(checked.report),
        _counts(version),
        _rejected(rejected),
        _figures(version, checked),
        _sheet(version),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head>"
        f"<body>{''.join(body)}{scripts}</body></html>"
    )


def _head(title: str, version: DatasetVersion, report: CheckReport) -> str:
    waived = sum(not one.passed and one.waived is not None for one in report.conditions)
    passed = sum(one.passed for one in report.conditions)
    kind, word = ("good", "Fit to train on") if report.passed else ("bad", "Not fit to train on")
    parts = [f"{passed} of {len(report.conditions)} conditions met"]
    parts += [f"{len(report.failures)} failed"] if report.failures else []
    parts += [f"{waived} waived"] if waived else []
    return (
        f'<h1>{escape(title)}</h1><p class="verdict {kind}">{word}: {", ".join(parts)}.</p>'
        f'<p class="muted">{len(version):,} photos of {len(version.labels):,} classes</p>'
        '<nav><a href="#conditions">Conditions</a><a href="#photos">Photos</a><a href="#rejected">Left out</a>'
        '<a href="#figures">Figures</a><a href="#classes">Classes</a></nav>'
    )


def _conditions(report: CheckReport) -> str:
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


def _counts(version: DatasetVersion) -> str:
    rows = []
    for split in SPLITS:
        part = version.select(split)
        gallery, queries = (part.select(role=role) for role in ROLES)
        enrolled = {*gallery.labels, *version.select("train", "gallery").labels}
        strangers = set(queries.labels) - enrolled
        cells = [len(part.labels), len(gallery), len(queries), len(strangers), len(queries.select(labels=strangers))]
        rows.append(f"<tr><td>{split}</td>" + "".join(f'<td class="number">{cell:,}</td>' for cell in cells) + "</tr>")
    head = ["Split", "Classes", "Gallery photos", "Query photos", "Classes nobody enrols", "Query photos of these"]
    return _section("photos", "Photos", _table(head, "".join(rows), numbers_from=1))


def _rejected(rejected: Sequence[Rejected]) -> str:
    if not rejected:
        return _section("rejected", "Left out", "<p>Every photo of the source is in this version.</p>")
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td>{one.kind}</td><td>{escape(one.reason)}</td></tr>"
        for one in rejected[:SHOWN_REJECTS]
    )
    left = len(rejected) - SHOWN_REJECTS
    more = f'<p class="muted">{left:,} more are not shown.</p>' if left > 0 else ""
    return _section("rejected", f"Left out ({len(rejected):,})", _table(["Photo", "Kind", "Reason"], rows) + more)


def _figures(version: DatasetVersion, checked: Checked) -> str:
    parts = []
    for check in TITLES:
        figures = [one for one in checked.figures if one.check == check]
        if figures:
            parts.append(f"<h3>{escape(TITLES[check])}</h3>" + "".join(_figure(version, one) for one in figures))
    if not parts:
        return _section("figures", "Figures", "<p>There is nothing to show.</p>")
    note = '<p class="muted">Measured by Deepchecks on some photos of each split, scaled down.</p>'
    return _section("figures", "Figures", note + "".join(parts))


def _figure(version: DatasetVersion, figure: Plot | Photos) -> str:
    title = f"<summary>{escape(figure.title)}</summary>"
    if isinstance(figure, Photos):
        image = f'<img alt="photos of {escape(figure.title)}" src="{strip(version, figure.rows)}">'
        return f'<details open>{title}<div class="photos">{image}</div></details>'
    spec = figure.spec.replace("<", "\\u003c")  # so that no text in it ends the script element
    return f'<details>{title}<div class="plot"><script type="application/json">{spec}</script></div></details>'


def _sheet(version: DatasetVersion) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.label)}</td><td>{one.split}{', not enrolled' if one.stranger else ''}</td>"
        f'<td class="number">{one.photos:,}</td>'
        f'<td><img alt="photos of {escape(one.label)}" src="{one.strip}"></td></tr>'
        for one in class_rows(version)
    )
    left = len(version.labels) - MAX_CLASSES
    more = f'<p class="muted">{left:,} more classes, all of them in training, are not shown.</p>' if left > 0 else ""
    head = ["Class", "Split", "Photos", "Some of them"]
    return _section("classes", "Classes", _table(head, rows, kind="sheet") + more)


def _table(head: Iterable[str], rows: str, kind: str = "", numbers_from: int | None = None) -> str:
    cells = "".join(
        f'<th class="number">{name}</th>' if numbers_from is not None and i >= numbers_from else f"<th>{name}</th>"
        for i, name in enumerate(head)
    )
    return f'<div class="scroll"><table class="{kind}"><tr>{cells}</tr>{rows}</table></div>'


def _section(anchor: str, title: str, content: str) -> str:
    return f'<h2 id="{anchor}">{title}</h2>{content}'
