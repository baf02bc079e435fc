"""Where pages for people lie on the active stack, and what they say of the run that made them.

Apart from `storage_layout` and `lineage`, for a training does not depend on pages.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timezone

from zenml import get_step_context

from discern.reports import site
from discern.reports.summary import Origin
from orchestration import storage_layout
from orchestration.lineage import git_commit


def review_page(use_case: str, version: str) -> str:
    """Return the address of the page on which people review a dataset version."""
    return f"{storage_layout.reports()}/{site.data_page(use_case, version)}"


def training_page(use_case: str, release: str) -> str:
    """Return the address of the page on a release candidate."""
    return f"{storage_layout.reports()}/{site.training_page(use_case, release)}"


def enrolment_page(use_case: str, request: str) -> str:
    """Return the address of the page on what somebody asked to enrol."""
    return f"{storage_layout.reports()}/{site.enrolment_page(use_case, request)}"


def verdict_on(address: str) -> str | None:
    """Return the verdict of a page of the site in a sentence; None where it is not known."""
    reports = storage_layout.reports()
    summary = site.read_summary(reports, address.removeprefix(f"{reports}/"))
    if summary is None:
        return None
    return f"{summary.word}: {summary.reason}" if summary.reason else summary.word


def page_origin(sources: Collection[str] = ()) -> Origin:
    """Say on a page which run made it; `sources` names the places that the photos came from."""
    import mlflow  # which takes seconds: commands ask for addresses before they check a config

    run = mlflow.active_run()
    return Origin(
        made=datetime.now(timezone.utc),
        pipeline_run=_run_name(),
        git_commit=git_commit(),
        mlflow_run=None if run is None else run.info.run_id,
        sources=tuple(sources),
    )


def _run_name() -> str | None:
    """The name of the current run; None where a step is called as a function."""
    try:
        return get_step_context().pipeline_run.name
    except RuntimeError:
        return None
