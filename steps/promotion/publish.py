"""Sign and publish what the gates let through."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.evaluation.gates import PromotionDecision
from discern.publication.channels import Approval, Channels
from edge_runtime.core.release import Release
from orchestration.publishing import Publication, publish_release


# Never from the cache: what counts is the repository's state, and publishing the same again changes nothing.
@step(enable_cache=False)
def publish(
    candidate: Release,
    decision: PromotionDecision,
    use_case: str,
    keys: str | None,
    approval: Approval,
    channels: Channels,
    production: str,
) -> Annotated[Publication, "publication"]:
    """Publish the candidate if the decision says so; a losing candidate changes nothing."""
    return publish_release(candidate, decision, use_case, keys, approval, channels, expected=production)
