"""The page on which people review a dataset version."""

from discern.quality.review.page import (
    LIBRARY,
    Report,
    Review,
    build_report,
    publish_report,
    report_html,
    write_report,
)
from discern.quality.review.summary import review_summary

__all__ = [
    "LIBRARY",
    "Report",
    "Review",
    "build_report",
    "publish_report",
    "report_html",
    "review_summary",
    "write_report",
]
