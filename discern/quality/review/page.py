"""The page that a data team reviews: the verdict, what was left out, what changed, the worst photos, every class.

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
from pathlib import Path

from discern.datasets.diff import VersionDiff
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.map_ahead import map_ahead
from discern.quality.checks import Checked
from discern.quality.contact_sheet import Changed
from discern.quality.review import sections
from discern.quality.review.conflicts import SHOWN_CONFLICTS, Conflict, group_conflicts, show_conflicts
from discern.quality.review.photo_book import PhotoBook, ShownPhoto
from discern.reports.html import render
from discern.reports.summary import Origin
from discern.storage.remote import open_place, write_file
from discern.words import be, counted

LIBRARY = "plotly.min.js"
PAGE = "index.html"
TEMPLATES = Path(__file__).parent / "templates"
EMBEDDED_BYTES = 1_500_000  # of pictures in a page that has to be one file, so that it stays below 5 MB


@dataclass(frozen=True)
class Review:
    """What is reviewed.

    Args:
        version: the dataset version.
        checked: its checks.
        origin: which run made it.
        use_case: what the version is for.
        rejected: photos that are not in it.
        before: id of the version that it grew from, if any.
        changes: what differs from that one.
        augment: shows photos as training sees them, if that is known.
    """

    version: DatasetVersion
    checked: Checked
    origin: Origin
    use_case: str
    rejected: Sequence[Rejected] = ()
    before: str | None = None
    changes: VersionDiff | None = None
    augment: Changed | None = None


@dataclass(frozen=True)
class Report:
    """A review as pages, rendered once.

    Args:
        files: path beside the page -> content: `index.html`, its pictures (`photos/`), and the one script file that
            many pages share.
        html: the same as one text of less than 5 MB that needs no file beside it; where there are many pictures, it
            has those that come first.
    """

    files: dict[str, bytes]
    html: str


@dataclass(frozen=True)
class ReviewPage:
    """What the templates show, section by section."""

    title: str
    verdict: sections.VerdictLine
    size: str
    glance: tuple[ShownPhoto, ...]
    origin: Origin
    version: str
    before: str | None
    results: sections.Results
    conflicts: tuple[Conflict, ...]
    hidden_conflicts: int
    left_out: int
    reject_kinds: tuple[sections.RejectKind, ...]
    changes: tuple[sections.ChangeKind, ...] | None
    splits: tuple[sections.SplitCounts, ...]
    figures: tuple[sections.CheckFigures, ...]
    classes: sections.Classes


def build_report(review: Review, library: str = LIBRARY) -> Report:
    """Render a review.

    Args:
        review: what it shows.
        library: where the script lies, relative to the page.

    Raises:
        DataError: a photo cannot be read.
    """
    book = PhotoBook(review.version)
    page = _review_page(review, book)
    files = {library: _library().encode(), **book.files, PAGE: _rendered(page, linked=True, library=library).encode()}
    embedded = book.first_pictures(EMBEDDED_BYTES)
    return Report(files, _rendered(page, linked=False, library=_packed_library(), embedded=embedded))


def publish_report(report: Report, url: str) -> None:
    """Write the files of a report below a folder or an s3:// address; the page comes last.

    A file of the same name and length is left alone: pictures are named by their content, and the script is 4 MB.

    Raises:
        OSError: they cannot be written.
    """

    def write(path: str) -> None:
        address, data = _joined(url, path), report.files[path]
        if not _has_length(address, len(data)):
            write_file(address, data)

    for _ in map_ahead(write, [path for path in report.files if path != PAGE]):
        pass
    write_file(_joined(url, PAGE), report.files[PAGE])


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


@lru_cache(maxsize=1)
def _packed_library() -> str:
    return base64.b64encode(gzip.compress(_library().encode(), mtime=0)).decode()


def _review_page(review: Review, book: PhotoBook) -> ReviewPage:
    """Gather what the page shows. Pictures are made in the order of the page: where few may be, the first are."""
    version, checked = review.version, review.checked
    conflicts = group_conflicts(review.rejected)
    return ReviewPage(
        title=f"Dataset version {version.id} of {review.use_case}",
        verdict=sections.verdict_line(checked.report),
        size=sections.size(version),
        glance=book.photos(sections.glance_rows(version), large=False),
        origin=review.origin,
        version=version.id,
        before=review.before,
        results=sections.results(checked),
        conflicts=show_conflicts(conflicts, review.use_case, book),
        hidden_conflicts=max(0, len(conflicts) - SHOWN_CONFLICTS),
        left_out=len(review.rejected),
        reject_kinds=sections.reject_kinds(review.rejected, book),
        changes=None if review.changes is None else sections.change_kinds(review.changes, book),
        splits=sections.split_counts(version),
        figures=sections.check_figures(checked, book),
        classes=sections.classes(version, review.augment, book),
    )


def _rendered(page: ReviewPage, *, linked: bool, library: str, embedded: frozenset[str] = frozenset()) -> str:
    """Render the page.

    Args:
        page: what it shows.
        linked: it lies in a folder with its pictures, other pages and the script; otherwise it has to be one file.
        library: where the script lies; in one file, the script itself, compressed, as base64.
        embedded: paths of the pictures that a single file holds.
    """
    values = {"page": page, "linked": linked, "library": library, "embedded": embedded}
    return render("review.html", TEMPLATES, counted=counted, be=be, **values)
