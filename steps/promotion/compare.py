"""Compare the candidate with production on the frozen test set."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateConfig, PromotionDecision, already_in_production
from discern.releases.comparison import compare_releases
from discern.reports.promotion_page import empty_report, promotion_report
from discern.storage.remote import write_file
from edge_runtime.core.release import Release
from orchestration import storage_layout
from orchestration.caching import by_code, code_of
from orchestration.signing import release_repository


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
        return decision, HTMLString(empty_report(candidate, decision))
    with tempfile.TemporaryDirectory(prefix="production-") as folder:
        current = None
        if production:
            current = release_repository(keys).fetch(production, Path(folder) / "release")
        comparison = compare_releases(candidate, current, dataset, gates)
        page = promotion_report(candidate, current, comparison, dataset)
    write_file(
        f"{storage_layout.reports()}/promotion/{candidate.id}-against-{production or 'nothing'}.html", page.encode()
    )
    return comparison.decision, HTMLString(page)
