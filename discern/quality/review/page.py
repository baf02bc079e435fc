"""The page that a data team reviews: the verdict, what changed, what was left out, the worst photos, every class.

Deepchecks' own pages embed plotly once a figure. Here one script file is shared by all pages, or embedded once in a
page that has to be one file (as a ZenML visualisation has to be).
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

from discern.datasets.diff import VersionDiff
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.quality.checks import Checked
from discern.quality.contact_sheet import Changed
from discern.quality.review import sections
from discern.quality.review.photo_book import PhotoBook
from discern.quality.review.script import SCRIPT, UNPACK
from discern.reports.html import STYLE
from discern.storage.atomic import atomic

LIBRARY = "plotly.min.js"


@dataclass(frozen=True)
class Review:
    """What is reviewed.

    Args:
        version: the dataset version.
        checked: its checks.
        rejected: photos that are not in it.
        before: id of the version that it grew from, if any.
        changes: what differs from that one.
        augment: shows photos as training sees them, if that is known.
        use_case: what the version is for.
    """

    version: DatasetVersion
    checked: Checked
    rejected: Sequence[Rejected] = ()
    before: str | None = None
    changes: VersionDiff | None = None
    augment: Changed | None = None
    use_case: str = ""


def write_report(folder: Path, review: Review, library: str = LIBRARY) -> Path:
    """Write `index.html`, the pictures that it links to (`photos/`), and the one script file that many pages share.

    Args:
        folder: where the page goes.
        review: what it shows.
        library: where the script lies, relative to `folder`; written if it is not there.

    Returns:
        The path of the page.

    Raises:
        DataError: the folder cannot be written, or a photo cannot be read.
    """
    book = PhotoBook(review.version, links=True)
    html = _page(review, book, f'<script src="{library}" defer></script><script>{SCRIPT}</script>')
    try:
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        if not (folder / library).exists():
            _write(folder / library, _library().encode())
        for path, data in book.files.items():
            _write(folder / path, data)
        _write(folder / "index.html", html.encode())
    except OSError as error:
        raise DataError(
            f"the report cannot be written to {folder} ({error.strerror}): choose another folder."
        ) from error
    return folder / "index.html"


def report_html(review: Review) -> str:
    """The report as one text of about 2 MB that needs no file beside it.

    Raises:
        DataError: a photo cannot be read.
    """
    packed = base64.b64encode(gzip.compress(_library().encode(), mtime=0)).decode()
    scripts = f'<script type="text/plain" id="library">{packed}</script><script>{SCRIPT}{UNPACK}</script>'
    return _page(review, PhotoBook(review.version, links=False), scripts)


@lru_cache(maxsize=1)
def _library() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _write(path: Path, data: bytes) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def _page(review: Review, book: PhotoBook, scripts: str) -> str:
    title = f"Dataset version {review.version.id}" + (f" of {review.use_case}" if review.use_case else "")
    body = [
        sections.head(title, review.version, review.checked.report),
        sections.conditions(review.checked.report),
        sections.changed(review.changes, review.before, book),
        sections.counts(review.version),
        sections.left_out(review.rejected, book),
        sections.figures(review.checked, book),
        sections.sheet(review.version, review.augment),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head>"
        f"<body>{''.join(body)}{scripts}</body></html>"
    )
