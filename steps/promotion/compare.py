"""Compare the candidate with production on the frozen test set."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.logger import get_logger
from zenml.types import HTMLString

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateConfig, PromotionDecision, already_in_production
from discern.releases.comparison import ReleaseComparison, compare_releases
from discern.reports import site
from discern.reports.promotion_page import empty_report, promotion_report, promotion_summary
from edge_runtime.core.release import Release
from orchestration import storage_layout
from orchestration.caching import by_code, code_of
from orchestration.pages import page_origin
from orchestration.signing import release_repository

logger = get_logger(__name__)


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(cache_policy=by_code(code))
def compare(
    candidate: Release,
    dataset: DatasetVersion,
    production: str,
    keys: str | None,
    gates: GateConfig,
) -> tuple[Annotated[PromotionDecision, "decision"], Annotated[HTMLString, "promotion_report"]]:
    """Run both releases as devices would; the report is kept whatever the decision is.

    Args:
        candidate: the release that was trained.
        dataset: the version whose test split is asked.
        production: id of the release in production, empty where there is none.
        keys: address of the folder with `root.json`; the stack's own without it.
        gates: what the candidate must keep to.
    """
    if production == candidate.id:
        decision = already_in_production(candidate.id)
        return decision, HTMLString(empty_report(candidate, decision, origin=page_origin()))
    with tempfile.TemporaryDirectory(prefix="production-") as folder:
        current = None
        if production:
            current = release_repository(keys).fetch(production, Path(folder) / "release")
        comparison = compare_releases(candidate, current, dataset, gates)
        page = _publish(candidate, current, comparison, dataset)
    return comparison.decision, HTMLString(page)


def _publish(
    candidate: Release, production: Release | None, comparison: ReleaseComparison, dataset: DatasetVersion
) -> str:
    """Put the page on the decision into the site of reports; returns it as one that stands alone."""
    origin, use_case = page_origin(), candidate.manifest.name
    page = site.promotion_page(candidate.id, production.id if production else "")
    linked = promotion_report(
        candidate,
        production,
        comparison,
        dataset,
        origin=origin,
        index=site.link(page),
        data_page=site.link(page, site.data_page(use_case, dataset.id)),
        training_page=site.link(page, site.training_page(use_case, candidate.id)),
    )
    summary = promotion_summary(candidate, production, comparison, dataset, origin)
    address = site.publish_page(storage_layout.reports(), page, linked, summary)
    logger.info("The decision on release %s: %s", candidate.id, address)
    return promotion_report(candidate, production, comparison, dataset, origin=origin)
