"""The page that a data team reviews: the verdict, what changed, what was left out, the worst photos, every class.

Deepchecks' own pages embed plotly once a figure. Here one script file is shared by all pages, or embedded once in a
page that has to be one file (as a ZenML visualisation has to be).
"""

from __future__ import annotations

import base64
import gzip
import posixpath
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
from discern.quality.review.photo_book import PhotoBook, without_links
from discern.quality.review.script import SCRIPT, UNPACK
from discern.reports.html import STYLE
from discern.storage.remote import open_place, write_file

LIBRARY = "plotly.min.js"
PAGE = "index.html"


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


@dataclass(frozen=True)
class Report:
    """A review as pages, rendered once.

    Args:
        files: path beside the page -> content: `index.html`, the pictures that it links to (`photos/`), and the one
            script file that many pages share.
        html: the same as one text of about 2 MB that needs no file beside it.
    """

    files: dict[str, bytes]
    html: str


def build_report(review: Review, library: str = LIBRARY) -> Report:
    """Render a review.

    Args:
        review: what it shows.
        library: where the script lies, relative to the page.

    Raises:
        DataError: a photo cannot be read.
    """
    book = PhotoBook(review.version)
    body = _body(review, book)
    page = _page(review, body, f'<script src="{library}" defer></script><script>{SCRIPT}</script>')
    packed = base64.b64encode(gzip.compress(_library().encode(), mtime=0)).decode()
    scripts = f'<script type="text/plain" id="library">{packed}</script><script>{SCRIPT}{UNPACK}</script>'
    files = {library: _library().encode(), **book.files, PAGE: page.encode()}
    return Report(files, _page(review, without_links(body), scripts))


def publish_report(report: Report, url: str) -> None:
    """Write the files of a report below a folder or an s3:// address; the page comes last.

    A file of the same name and length is left alone: pictures are named by their content, and the script is 4 MB.

    Raises:
        OSError: they cannot be written.
    """
    for path, data in report.files.items():
        address = _joined(url, path)
        if path == PAGE or not _has_length(address, len(data)):
            write_file(address, data)


def _has_length(url: str, length: int) -> bool:
    filesystem, path = open_place(url)
    try:
        return bool(filesystem.size(path) == length)
    except FileNotFoundError:
        return False


def write_report(folder: Path, review: Review, library: str = LIBRARY) -> Path:
    """Render a review into a folder.

    Args:
        folder: where the page goes.
        review: what it shows.
        library: where the script lies, relative to `folder`.

    Returns:
        The path of the page.

    Raises:
        DataError: the folder cannot be written, or a photo cannot be read.
    """
    report = build_report(review, library)
    try:
        publish_report(report, str(folder))
    except OSError as error:
        raise DataError(
            f"the report cannot be written to {folder} ({error.strerror}): choose another folder."
        ) from error
    return folder / PAGE


def report_html(review: Review) -> str:
    """Render a review as one text that needs no file beside it.

    Raises:
        DataError: a photo cannot be read.
    """
    return build_report(review).html


def _joined(url: str, path: str) -> str:
    """Return the address of `path` beside `url`, without `..`, which is a name like any other in a bucket."""
    scheme, separator, location = url.rpartition("://")
    return f"{scheme}{separator}{posixpath.normpath(f'{location}/{path}')}"


@lru_cache(maxsize=1)
def _library() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _body(review: Review, book: PhotoBook) -> str:
    parts = [
        sections.head(_title(review), review.version, review.checked.report),
        sections.conditions(review.checked.report),
        sections.changed(review.changes, review.before, book),
        sections.counts(review.version),
        sections.left_out(review.rejected, book),
        sections.figures(review.checked, book),
        sections.sheet(review.version, review.augment),
    ]
    return "".join(parts)


def _page(review: Review, body: str, scripts: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(_title(review))}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head>"
        f"<body>{body}{scripts}</body></html>"
    )


def _title(review: Review) -> str:
    return f"Dataset version {review.version.id}" + (f" of {review.use_case}" if review.use_case else "")
