"""Note what is about to be published, then sign and publish it.

The note comes first and counts for nothing until the channel names the release: a run that is cut off between the two
loses no class, for whoever looks at the channel next lets the note count.
"""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.evaluation.gates import PromotionDecision
from discern.publication.channels import Approval, Channels
from discern.sources.enrolled.ledger import Ledger
from edge_runtime.core.release import Release
from orchestration import storage_layout
from orchestration.publishing import Publication, publish_release


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
    ledger = Ledger(storage_layout.enrolments(use_case))
    asked = ledger.read(request)
    why = f" ({asked.why})" if asked.why else ""
    # The signed history says who asked.
    decided = decision.model_copy(update={"reason": f"{asked.by} asked{why}: {decision.reason}"})
    if decision.outcome != "refused":
        ledger.publish(asked, candidate.id, live=False)
    return publish_release(
        candidate, decided, use_case, keys, approval, channels, expected=candidate.manifest.lineage.enrolled_into
    )
