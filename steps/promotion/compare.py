"""Compare the candidate with production on the frozen test set."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.logger import get_logger
from zenml.types import HTMLString

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateConfig, PromotionDecision, already_in_production
from discern.publication.repository import ReleaseRepository
from discern.releases.comparison import ReleaseComparison, compare_releases
from discern.releases.past import best_of_the_past
from discern.reports import site
from discern.reports.decision_record import DecisionRecord, markdown, record_of
from discern.reports.promotion_page import Ways, empty_report, promotion_report, promotion_summary
from discern.sources.enrolled.ledger import Ledger
from edge_runtime.core.release import Release
from orchestration import storage_layout
from orchestration.caching import by_code, code_of
from orchestration.enrolment_ledger import settle
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
    channel: str,
    gates: GateConfig,
) -> tuple[Annotated[PromotionDecision, "decision"], Annotated[HTMLString, "promotion_report"]]:
    """Run both releases as devices would; the report is kept whatever the decision is.

    Args:
        candidate: the release that was trained.
        dataset: the version whose test split is asked.
        production: id of the release in production, empty where there is none.
        keys: address of the folder with `root.json`; the stack's own without it.
        channel: names the release in production; what it named before is compared too.
        gates: what the candidate must keep to.
    """
    if production == candidate.id:
        decision = already_in_production(candidate.id)
        return decision, HTMLString(empty_report(candidate, decision, origin=page_origin()))
    repository = release_repository(keys)
    # A run that was cut off after it published left the ledger behind the channel.
    settle(repository, candidate.manifest.name, production or None)
    retired = Ledger(storage_layout.enrolments(candidate.manifest.name)).state().retired
    with tempfile.TemporaryDirectory(prefix="production-") as folder:
        current = repository.fetch(production, Path(folder) / production) if production else None
        past = [
            repository.fetch(release, Path(folder) / release)
            for release in _past(repository, channel, {production, candidate.id})
        ]
        comparison = compare_releases(candidate, current, dataset, gates, past, retired)
        made = datetime.now(timezone.utc)
        record = record_of(comparison, candidate, current, dataset.id, made, tuple(release.id for release in past))
        page = _publish(candidate, current, comparison, dataset, record)
    return comparison.decision.model_copy(update={"record": record.id}), HTMLString(page)


def _past(repository: ReleaseRepository, channel: str, but: Collection[str]) -> list[str]:
    """Return the releases that the channel named before, and that are worth holding the candidate against.

    One that a person rejected or rolled back from is no measure for others.
    """
    history = repository.history()
    here = {release.id for release in repository.releases()} - set(but)
    named = [release for release in history.named_by(channel) if release in here]
    good = [release for release in named if not history.held(release, channel)]
    return best_of_the_past({release: repository.manifest(release).metrics for release in good})


def _publish(
    candidate: Release,
    production: Release | None,
    comparison: ReleaseComparison,
    dataset: DatasetVersion,
    record: DecisionRecord,
) -> str:
    """Put the page on the decision and its record into the site of reports; returns a page that stands alone."""
    origin, use_case = page_origin(), candidate.manifest.name
    page = site.promotion_page(candidate.id, production.id if production else "", record.id)
    linked = promotion_report(
        candidate,
        production,
        comparison,
        dataset,
        record,
        origin=origin,
        ways=Ways(
            index=site.link(page),
            data_page=site.link(page, site.data_page(use_case, dataset.id)),
            training_page=site.link(page, site.training_page(use_case, candidate.id)),
        ),
    )
    summary = promotion_summary(candidate, production, comparison, dataset, origin)
    reports = storage_layout.reports()
    site.publish_record(reports, page, record.model_dump_json(indent=1), markdown(record))
    address = site.publish_page(reports, page, linked, summary)
    logger.info("The decision on release %s: %s", candidate.id, address)
    return promotion_report(candidate, production, comparison, dataset, record, origin=origin)
