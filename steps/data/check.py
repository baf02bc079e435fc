"""Look at a version with Deepchecks and put the report where people find it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Annotated

from zenml import step
from zenml.logger import get_logger
from zenml.types import HTMLString

from discern.datasets.diff import diff_versions
from discern.datasets.manifest import DatasetVersion
from discern.learning.preview import PreviewConfig, augmenter
from discern.quality.checks import CheckConfig, CheckReport, check_version
from discern.quality.review import LIBRARY, Report, Review, build_report, publish_report, review_summary
from discern.reports import site
from orchestration import storage_layout
from orchestration.caching import by_code, code_of
from orchestration.lineage import load_input
from orchestration.pages import page_origin
from steps.data.ingest import RejectedPhotos

logger = get_logger(__name__)
SHARED_LIBRARY = f"../../../{LIBRARY}"  # at the root of the site, once for all pages


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(cache_policy=by_code(code))
def check(
    version: DatasetVersion,
    rejected: RejectedPhotos,
    use_case: str,
    checks: CheckConfig,
    max_rejected_share: float,
    preview: PreviewConfig | None = None,
    previous: str = "",
    sources: Sequence[str] = (),
) -> tuple[Annotated[CheckReport, "check_report"], Annotated[HTMLString, "data_report"]]:
    """Check the version; a failure is in the report, and `gate` acts on it, so that the report is kept either way.

    Args:
        version: the dataset version.
        rejected: photos of the source that are not in it.
        use_case: what it is for.
        checks: limits of the checks, and waivers.
        max_rejected_share: `cleaning.max_rejected_share`, for the check `broken_photos`.
        preview: what training does to photos, which the report then shows.
        previous: id of the artifact of the version that this one grew from, empty where there is none.
        sources: where the photos came from, for people.
    """
    checked = check_version(version, checks, rejected.photos, max_rejected_share)
    before: DatasetVersion | None = load_input(previous)
    review = Review(
        version=version,
        checked=checked,
        origin=page_origin(sources),
        rejected=rejected.photos,
        before=before.id if before else None,
        changes=diff_versions(before, version) if before else None,
        augment=augmenter(preview) if preview else None,
        use_case=use_case,
    )
    report = build_report(review, SHARED_LIBRARY)
    address = _publish(report, review)
    conditions = checked.report.conditions
    met = sum(condition.passed for condition in conditions)
    logger.info("Dataset version %s meets %d of %d conditions: %s", version.id, met, len(conditions), address)
    return checked.report, HTMLString(report.html)


def _publish(report: Report, review: Review) -> str:
    """Put the page into the site of reports; returns its address."""
    reports, page = storage_layout.reports(), site.data_page(review.use_case, review.version.id)
    publish_report(report, f"{reports}/{posixpath.dirname(page)}")
    return site.publish_summary(reports, page, review_summary(review))
