"""Look at a version with Deepchecks and put the report where people find it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from discern.data.checks import CheckConfig, CheckReport, check_version
from discern.data.report import report_html, write_report
from discern.data.versions import DatasetVersion
from discern.files import write_file
from steps import workspace
from steps.caching import depends_on
from steps.data.ingest import RejectedPhotos


@step(cache_policy=depends_on("discern/data", "edge_runtime/images.py"))
def check(
    version: DatasetVersion, rejected: RejectedPhotos, use_case: str, checks: CheckConfig
) -> tuple[Annotated[CheckReport, "check_report"], Annotated[HTMLString, "data_report"]]:
    """Check the version; a failure is in the report, and `gate` acts on it, so that the report is kept either way."""
    checked = check_version(version, checks)
    with tempfile.TemporaryDirectory(prefix="report-") as temporary:
        page = write_report(Path(temporary), version, checked, rejected.photos)
        for file in sorted(page.parent.iterdir()):
            write_file(f"{workspace.reports()}/data/{use_case}/{version.id}/{file.name}", file.read_bytes())
    return checked.report, HTMLString(report_html(version, checked, rejected.photos))
