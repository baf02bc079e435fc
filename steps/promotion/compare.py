"""Compare the candidate with production on the frozen test set."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateConfig, PromotionDecision, already_in_production
from discern.publication.repository import ReleaseRepository
from discern.releases.comparison import compare_releases
from discern.reports.promotion_page import empty_report, promotion_report
from discern.storage.remote import write_file
from edge_runtime.core.release import Release
from orchestration import workspace
from orchestration.caching import by_code, code_of


def code() -> str:
    """Return what this step and everything it imports do, for its cache key."""
    return code_of(__name__)


@step(cache_policy=by_code(code))
def compare(
    candidate: Release,
    dataset: DatasetVersion,
    production: str | None,
    keys: str,
    gates: GateConfig,
) -> tuple[Annotated[PromotionDecision, "decision"], Annotated[HTMLString, "promotion_report"]]:
    """Run both releases as devices would; the report is stored whatever the decision is."""
    if production == candidate.id:
        decision = already_in_production(candidate.id)
        return decision, HTMLString(empty_report(candidate, decision))
    with tempfile.TemporaryDirectory(prefix="production-") as folder:
        current = None
        if production is not None:
            repository = ReleaseRepository(workspace.releases(), Path(keys))
            current = repository.fetch(production, Path(folder) / "release")
        comparison = compare_releases(candidate, current, dataset, gates)
        page = promotion_report(candidate, current, comparison, dataset)
    write_file(f"{workspace.reports()}/promotion/{candidate.id}-against-{production or 'nothing'}.html", page.encode())
    return comparison.decision, HTMLString(page)
