"""What a page says of the run that made it; apart from `lineage`, for a training does not depend on pages."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timezone

import mlflow
from zenml import get_step_context

from discern.reports.summary import Origin
from orchestration.lineage import git_commit


def page_origin(sources: Collection[str] = ()) -> Origin:
    """Say on a page which run made it; `sources` names the places that the photos came from."""
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
