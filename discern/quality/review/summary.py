"""What the index of all reports says of a review."""

from __future__ import annotations

from discern.quality.checks.model import TITLES, CheckReport
from discern.quality.review.page import Review
from discern.quality.review.sections import glance_rows, verdict_line
from discern.reports.html import data_uri
from discern.reports.summary import PageSummary
from discern.reports.thumbnails import Thumbnails


def review_summary(review: Review) -> PageSummary:
    """Return the verdict, the first failed condition, three figures and photos of up to six classes.

    Raises:
        DataError: a photo cannot be read.
    """
    version, report, thumbnails = review.version, review.checked.report, Thumbnails()
    verdict = verdict_line(report)
    return PageSummary(
        kind="data",
        use_case=review.use_case,
        id=version.id,
        version=version.id,
        origin=review.origin,
        verdict=verdict.kind,
        word=verdict.word,
        reason=_reason(report),
        figures={
            "photos": f"{len(version.all_rows()):,}",
            "classes": f"{len(version.labels):,}",
            "left out": f"{len(review.rejected):,}",
        },
        pictures=tuple(data_uri(thumbnails.of(version, row)) for row in glance_rows(version)),
    )


def _reason(report: CheckReport) -> str:
    """Return the first failed condition with what was found, and how many more there are."""
    if not report.failures:
        return ""
    first, more = report.failures[0], len(report.failures) - 1
    return f"{TITLES[first.check]}: {first.detail}" + (f" (and {more} more)" if more else "")
