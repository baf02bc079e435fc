"""Sign and publish what was enrolled, and note that it is live."""

from __future__ import annotations

from typing import Annotated

from orchestration.publishing import Publication, publish_release
from zenml import step

from discern.evaluation.gates import PromotionDecision
from discern.publication.channels import Approval, Channels
from discern.sources.enrolled.ledger import Ledger
from edge_runtime.core.release import Release
from orchestration import storage_layout


# Never from the cache: what counts is the repository's state, and publishing the same again changes nothing.
@step(enable_cache=False)
def publish(
    candidate: Release,
    decision: PromotionDecision,
    request: str,
    use_case: str,
    keys: str | None,
    approval: Approval,
    channels: Channels,
) -> Annotated[Publication, "enrolment_publication"]:
    """Publish the release if the decision says so; a refused one changes nothing."""
    publication = publish_release(
        candidate, decision, use_case, keys, approval, channels, expected=candidate.manifest.lineage.enrolled_into
    )
    if publication.channel is not None:
        ledger = Ledger(storage_layout.enrolments(use_case))
        ledger.publish(ledger.read(request), candidate.id)
    return publication
