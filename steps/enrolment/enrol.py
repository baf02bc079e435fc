"""Put what somebody asked for into the release that devices use, and judge it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.logger import get_logger
from zenml.types import HTMLString

from discern.enrolment.gates import EnrolmentGates, judge_enrolment
from discern.enrolment.measured import measured_release
from discern.enrolment.photos import read_photos
from discern.enrolment.proposal import UnchangedError, build_proposal, propose
from discern.errors import DataError
from discern.evaluation.gates import GateConfig, PromotionDecision, own_gates, with_gates
from discern.reports import site
from discern.reports.enrolment_page import enrolment_report, enrolment_summary
from discern.sources.enrolled.ledger import Ledger
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import Release
from orchestration import storage_layout
from orchestration.enrolment_ledger import settle
from orchestration.materializers import ReleaseMaterializer
from orchestration.pages import page_origin
from orchestration.scratch import scratch_folder
from orchestration.signing import release_repository

logger = get_logger(__name__)


# Never cached: it depends on what the channel names now.
@step(enable_cache=False, output_materializers={"enrolled_release": ReleaseMaterializer})
def enrol(
    request: str, use_case: str, keys: str | None, channel: str, gates: EnrolmentGates, limits: GateConfig
) -> tuple[
    Annotated[Release, "enrolled_release"],
    Annotated[PromotionDecision, "enrolment_decision"],
    Annotated[HTMLString, "enrolment_report"],
]:
    """Enrol into the release that `channel` names; the page is kept whatever the decision is.

    Args:
        request: id of the request in the ledger of the use case.
        use_case: whose classes change.
        keys: address of the folder with `root.json`; the stack's own without it.
        channel: names the release that is enrolled into.
        gates: what the changed release must keep to.
        limits: its floors and budgets, those of the promotion.

    Raises:
        DataError: nothing is in production, or the change cannot be made; where everything is enrolled already, the
            request counts from now on all the same.
        PublicationError: the repository cannot be read, or nothing can be enrolled into its release.
    """
    ledger = Ledger(storage_layout.enrolments(use_case))
    asked = ledger.read(request)
    repository = release_repository(keys)
    current = repository.current(channel)
    if current is None:
        raise DataError(
            f"channel {channel!r} of {repository.url} names no release to enrol into: run `discern promote {use_case}`."
        )
    # A run that was cut off after it published left the ledger behind the channel.
    settle(repository, use_case, current)
    with tempfile.TemporaryDirectory(prefix="production-") as folder:
        base = repository.fetch(current, Path(folder) / "release")
        identifier = Identifier(base)
        new = read_photos(base, identifier.model, ledger.photos(asked))
        replaced = asked.labels if asked.replace else frozenset()
        try:
            proposal = propose(base, identifier, new, replaced=replaced, retired=frozenset(asked.retire))
        except UnchangedError:
            ledger.publish(asked, current)  # The release has these photos, and so has the next dataset version.
            raise
        release = build_proposal(scratch_folder() / "release", proposal)
        measured = measured_release(release, proposal, with_memory=limits.memory_mb is not None)
        decision = with_gates(judge_enrolment(proposal, gates), own_gates(measured, limits))
        origin = page_origin()
        page = site.enrolment_page(use_case, asked.id)
        linked = enrolment_report(proposal, decision, asked, release, origin=origin, index=site.link(page))
        summary = enrolment_summary(proposal, decision, release, asked, origin)
        address = site.publish_page(storage_layout.reports(), page, linked, summary)
        alone = enrolment_report(proposal, decision, asked, release, origin=origin)
    logger.info("The decision on what was enrolled: %s", address)
    return release, decision, HTMLString(alone)
