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

__all__ = ["LIBRARY", "Report", "Review", "build_report", "publish_report", "report_html", "write_report"]
