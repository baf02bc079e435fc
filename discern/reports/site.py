"""The site of all reports: where a page lies, and the index over them.

    index.html
    data/USE_CASE/VERSION/index.html        the review of a dataset version
    training/USE_CASE/RELEASE/index.html    the answers of a release candidate
    promotion/RELEASE-against-OTHER-DECISION.html    a decision; .md and .decision.json beside it say the same
    enrolment/USE_CASE/REQUEST/index.html   what was enrolled into a release

Beside each page lies its summary as JSON. The index is written anew from the summaries after each page, so that it
needs nothing else and can be written again at any time.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import ValidationError

from discern.reports.html import render
from discern.reports.summary import PageSummary
from discern.storage.remote import Storage

INDEX = "index.html"
PAGES = ("data/*/*/index.html", "training/*/*/index.html", "promotion/*.html", "enrolment/*/*/index.html")
DECISIONS = ("promotion", "enrolment")


@dataclass(frozen=True)
class Entry:
    """A page of the site.

    Args:
        path: of the page, relative to the site.
        summary: what it says of itself.
    """

    path: str
    summary: PageSummary


@dataclass(frozen=True)
class ReleaseEntry:
    """A release: its training and the decisions on it, newest first."""

    id: str
    training: Entry | None
    decisions: tuple[Entry, ...]


@dataclass(frozen=True)
class VersionEntry:
    """A dataset version: its review, and the releases that were trained on it, newest first."""

    id: str
    review: Entry | None
    releases: tuple[ReleaseEntry, ...]


@dataclass(frozen=True)
class UseCaseEntry:
    """A use case and its versions, newest first."""

    name: str
    versions: tuple[VersionEntry, ...]


def data_page(use_case: str, version: str) -> str:
    """Return the path of the review of a dataset version, relative to the site."""
    return f"data/{use_case}/{version}/{INDEX}"


def training_page(use_case: str, release: str) -> str:
    """Return the path of the page on a release candidate, relative to the site."""
    return f"training/{use_case}/{release}/{INDEX}"


def promotion_page(release: str, production: str, decision: str) -> str:
    """Return the path of the page on a decision, relative to the site.

    Args:
        release: that was judged.
        production: that it was compared with; empty where there was none.
        decision: id of the decision; the same two may be judged again.
    """
    return f"promotion/{release}-against-{production or 'nothing'}-{decision}.html"


def enrolment_page(use_case: str, request: str) -> str:
    """Return the path of the page on an enrolment, relative to the site."""
    return f"enrolment/{use_case}/{request}/{INDEX}"


def link(page: str, target: str = INDEX) -> str:
    """Return the address of one page of the site, relative to another."""
    return posixpath.relpath(target, posixpath.dirname(page))


def publish_summary(site: str, page: str, summary: PageSummary) -> str:
    """Put a page, which is written already, into the index.

    Args:
        site: a folder or an s3:// address.
        page: path of the page, relative to it.
        summary: what the index says of it.

    Returns:
        The address of the page.

    Raises:
        OSError: the site cannot be written or read.
    """
    Storage(site).replace(_summary_of(page), summary.model_dump_json().encode())
    write_index(site)
    return f"{site}/{page}"


def publish_page(site: str, page: str, html: str, summary: PageSummary) -> str:
    """Write a page that needs no file beside it, and put it into the index; see `publish_summary`."""
    Storage(site).replace(page, html.encode())
    return publish_summary(site, page, summary)


def publish_record(site: str, page: str, record: str, text: str) -> None:
    """Write the record of a decision beside its page, as JSON and as Markdown.

    Raises:
        OSError: the site cannot be written.
    """
    path = PurePosixPath(page)
    storage = Storage(site)
    storage.replace(str(path.with_suffix(".decision.json")), record.encode())
    storage.replace(str(path.with_suffix(".md")), text.encode())


def read_summary(site: str, page: str) -> PageSummary | None:
    """Return what the index says of a page; None where nothing is known of it.

    Raises:
        OSError: the site cannot be read.
    """
    data = Storage(site).read(_summary_of(page))
    return None if data is None else _parse(data)


def write_index(site: str) -> str:
    """Write the index over all pages of a site anew.

    Returns:
        Its address.

    Raises:
        OSError: the site cannot be read or written.
    """
    storage = Storage(site)
    entries, others = _entries(storage)
    html = render("index.html", use_cases=use_cases(entries), others=others)
    storage.replace(INDEX, html.encode())
    return f"{site}/{INDEX}"


def use_cases(entries: Iterable[Entry]) -> list[UseCaseEntry]:
    """Bring pages into the order in which the index shows them: by use case, the newest first."""
    by_use_case: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.summary.origin.made, reverse=True):
        by_use_case[entry.summary.use_case].append(entry)
    return [UseCaseEntry(name, _versions(found)) for name, found in sorted(by_use_case.items())]


def _versions(entries: Sequence[Entry]) -> tuple[VersionEntry, ...]:
    """Group pages, newest first, by the dataset version that they rest on."""
    by_version: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_version[entry.summary.version].append(entry)
    return tuple(
        VersionEntry(version, _first(found, "data"), _releases(found)) for version, found in by_version.items()
    )


def _releases(entries: Sequence[Entry]) -> tuple[ReleaseEntry, ...]:
    by_release: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.summary.kind != "data":
            by_release[entry.summary.id].append(entry)
    return tuple(
        ReleaseEntry(release, _first(found, "training"), tuple(one for one in found if one.summary.kind in DECISIONS))
        for release, found in by_release.items()
    )


def _first(entries: Sequence[Entry], kind: str) -> Entry | None:
    return next((entry for entry in entries if entry.summary.kind == kind), None)


def _entries(storage: Storage) -> tuple[list[Entry], list[str]]:
    """Return the pages with a summary, and the paths of those without one, which earlier versions of Discern wrote."""
    entries, others = [], []
    for page in sorted(page for pattern in PAGES for page in storage.glob(pattern)):
        data = storage.read(_summary_of(page))
        summary = _parse(data) if data is not None else None
        if summary is None:
            others.append(page)
        else:
            entries.append(Entry(page, summary))
    return entries, others


def _parse(data: bytes) -> PageSummary | None:
    """Return a summary; None for one that this code does not know, whose page is then listed by its path alone."""
    try:
        return PageSummary.model_validate_json(data)
    except ValidationError:
        return None


def _summary_of(page: str) -> str:
    return str(PurePosixPath(page).with_suffix(".json"))
