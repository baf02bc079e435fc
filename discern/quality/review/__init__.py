"""The page on which people review a dataset version."""

from discern.quality.review.page import LIBRARY, Review, report_html, write_report

__all__ = ["LIBRARY", "Review", "report_html", "write_report"]
