"""Look at a version with Deepchecks and put the report where people find it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.logger import get_logger
from zenml.types import HTMLString

from discern.datasets.diff import diff_versions
from discern.datasets.manifest import DatasetVersion
from discern.learning.preview import PreviewConfig, augmenter
from discern.quality.checks import CheckConfig, CheckReport, check_version
from discern.quality.review import LIBRARY, Review, report_html, write_report
from discern.storage.remote import write_file
from orchestration import workspace
from orchestration.caching import by_code, code_of
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
    preview: PreviewConfig | None = None,
    before: DatasetVersion | None = None,
) -> tuple[Annotated[CheckReport, "check_report"], Annotated[HTMLString, "data_report"]]:
    """Check the version; a failure is in the report, and `gate` acts on it, so that the report is kept either way."""
    checked = check_version(version, checks, rejected.photos)

    def review() -> Review:
        return Review(
            version=version,
            checked=checked,
            rejected=rejected.photos,
            before=before.id if before else None,
            changes=diff_versions(before, version) if before else None,
            augment=augmenter(preview) if preview else None,
            use_case=use_case,
        )

    with tempfile.TemporaryDirectory(prefix="report-") as temporary:
        site = Path(temporary)
        write_report(site / "data" / use_case / version.id, review(), SHARED_LIBRARY)
        for file in sorted(path for path in site.rglob("*") if path.is_file()):
            write_file(f"{workspace.reports()}/{file.relative_to(site)}", file.read_bytes())
    met = sum(one.passed for one in checked.report.conditions)
    logger.info(
        "Dataset version %s meets %d of %d conditions: see %s/data/%s/%s/index.html",
        *(version.id, met, len(checked.report.conditions), workspace.reports(), use_case, version.id),
    )
    return checked.report, HTMLString(report_html(review()))
