"""Draw the candidate's answers to the test split, for people who review it."""

from __future__ import annotations

from typing import Annotated

from zenml import step
from zenml.logger import get_logger
from zenml.types import HTMLString

from discern.datasets.manifest import DatasetVersion
from discern.reports import site
from discern.reports.candidate_page import depiction_page, training_summary
from discern.reports.candidate_plots import depict_release
from edge_runtime.core.release import Release
from orchestration import storage_layout, tracking
from orchestration.caching import by_code, code_of
from orchestration.pages import page_origin

logger = get_logger(__name__)


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(experiment_tracker=True, cache_policy=by_code(code), on_failure=tracking.keep_reason)
def depict(candidate: Release, dataset: DatasetVersion) -> Annotated[HTMLString, "candidate_pictures"]:
    """Log the candidate's model and the pictures of its answers; publish them as a page, and return it."""
    tracking.log_origin(dataset.id)
    tracking.log_model(candidate)
    depiction = depict_release(candidate, dataset)
    tracking.log_pictures(depiction.pictures)
    if depiction.confusions is not None:
        tracking.log_table("confusion_pairs", depiction.confusions, depiction.confusions.csv())
    origin, use_case = page_origin(), candidate.manifest.name
    page = site.training_page(use_case, candidate.id)
    linked = depiction_page(
        candidate,
        dataset,
        depiction,
        origin=origin,
        index=site.link(page),
        data_page=site.link(page, site.data_page(use_case, dataset.id)),
    )
    summary = training_summary(candidate, dataset, depiction, origin)
    address = site.publish_page(storage_layout.reports(), page, linked, summary)
    logger.info("The candidate's answers to the test queries: %s", address)
    return HTMLString(depiction_page(candidate, dataset, depiction, origin=origin))
