"""Sign and publish what the gates let through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict
from zenml import step
from zenml.client import Client
from zenml.enums import ModelStages
from zenml.logger import get_logger

from discern.evaluation.gates import PromotionDecision
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from orchestration import workspace

logger = get_logger(__name__)

Approval = Literal["automatic", "manual"]


class Channels(BaseModel):
    """Where releases go live: a channel devices follow, and one for what waits for a person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    production: str = "production"
    staging: str = "staging"


class Publication(BaseModel):
    """What was published.

    Attributes:
        release: the candidate.
        channel: the channel that names it now, or None where it was not let through.
        repository: where devices find it.
        reason: why.
    """

    model_config = ConfigDict(frozen=True)

    release: str
    channel: str | None
    repository: str
    reason: str


# Never from the cache: what counts is the repository's state, and publishing the same again changes nothing.
@step(enable_cache=False)
def publish(
    candidate: Release, decision: PromotionDecision, use_case: str, keys: str, approval: Approval, channels: Channels
) -> Annotated[Publication, "publication"]:
    """Publish the candidate if the decision says so; a losing candidate changes nothing."""
    address = workspace.releases()
    if not decision.promote:
        _agree_on_the_stage(use_case, candidate, channels, address, keys)
        logger.info("Release %s is not promoted (%s); nothing changes.", candidate.id, decision.reason)
        return Publication(release=candidate.id, channel=None, repository=address, reason=decision.reason)
    channel = channels.production if approval == "automatic" else channels.staging
    ReleaseRepository(address, Path(keys)).publish(candidate, channel)
    stage = ModelStages.PRODUCTION if approval == "automatic" else ModelStages.STAGING
    Client().update_model_version(use_case, candidate.id, stage=stage, force=True)
    logger.info("Release %s is live on channel %s of %s (%s).", candidate.id, channel, address, decision.reason)
    return Publication(release=candidate.id, channel=channel, repository=address, reason=decision.reason)


def _agree_on_the_stage(use_case: str, candidate: Release, channels: Channels, address: str, keys: str) -> None:
    """A run that died between publishing and this would leave the Model Control Plane behind for good."""
    if ReleaseRepository(address, Path(keys)).current(channels.production) == candidate.id:
        Client().update_model_version(use_case, candidate.id, stage=ModelStages.PRODUCTION, force=True)
