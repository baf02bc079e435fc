"""Draw the candidate's answers to the test split, for people who review it."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from discern.datasets.manifest import DatasetVersion
from discern.reports.candidate_page import depiction_page
from discern.reports.candidate_plots import depict_release
from edge_runtime.core.release import Release
from orchestration import tracking
from orchestration.caching import by_code, code_of


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(experiment_tracker=True, cache_policy=by_code(code))
def depict(candidate: Release, dataset: DatasetVersion) -> Annotated[HTMLString, "candidate_pictures"]:
    """Log the candidate's model and the pictures of its answers; return the pictures as one page."""
    tracking.log_model(candidate)
    depiction = depict_release(candidate, dataset)
    tracking.log_pictures(depiction.pictures)
    if depiction.confusions is not None:
        tracking.log_table("confusion_pairs", depiction.confusions, depiction.confusions.csv())
    return HTMLString(depiction_page(candidate, dataset, depiction))
