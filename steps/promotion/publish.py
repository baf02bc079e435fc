"""Sign and publish what the gates let through."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict
from zenml import step
from zenml.client import Client
from zenml.enums import ModelStages
from zenml.logger import get_logger

from discern.errors import PublicationError
from discern.evaluation.gates import PromotionDecision
from discern.publication.channels import Approval, Channels
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from orchestration.signing import release_repository, signing_repository

logger = get_logger(__name__)


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
    candidate: Release,
    decision: PromotionDecision,
    use_case: str,
    keys: str | None,
    approval: Approval,
    channels: Channels,
) -> Annotated[Publication, "publication"]:
    """Publish the candidate if the decision says so; a losing candidate changes nothing."""
    if not decision.promote:
        repository = release_repository(keys)
        # A run that died between publishing and the line below left the Model Control Plane behind.
        if repository.current(channels.production) == candidate.id:
            _set_stage(use_case, candidate.id, ModelStages.PRODUCTION)
        logger.info("Release %s is not promoted (%s); nothing changes.", candidate.id, decision.reason)
        return Publication(release=candidate.id, channel=None, repository=repository.url, reason=decision.reason)
    repository = signing_repository(keys)
    if held := repository.is_held(candidate.id, channels.production):
        reason = f"a person decides: {held}"
        logger.info("Release %s is not published (%s); nothing changes.", candidate.id, reason)
        return Publication(release=candidate.id, channel=None, repository=repository.url, reason=reason)
    automatic = approval == "automatic"
    channel = channels.production if automatic else channels.staging
    check_channel(repository, channel, candidate.manifest.name)
    repository.publish(candidate, channel, action="publish" if automatic else "stage", why=decision.reason)
    _set_stage(use_case, candidate.id, ModelStages.PRODUCTION if automatic else ModelStages.STAGING)
    logger.info("Release %s is live on channel %s of %s (%s).", candidate.id, channel, repository.url, decision.reason)
    return Publication(release=candidate.id, channel=channel, repository=repository.url, reason=decision.reason)


def _set_stage(use_case: str, release: str, stage: ModelStages) -> None:
    Client().update_model_version(use_case, release, stage=stage, force=True)


def check_channel(repository: ReleaseRepository, channel: str, use_case: str) -> None:
    """Refuse a channel that devices of another use case follow.

    Raises:
        PublicationError: it names a release of another use case.
    """
    for published in repository.releases():
        if channel in published.channels and published.name != use_case:
            raise PublicationError(
                f"channel {channel!r} of {repository.url} names release {published.id} of the use case "
                f"{published.name!r}: give {use_case!r} channels of its own in its promotion config, such as "
                f"`channels: {{production: {use_case}-production, staging: {use_case}-staging}}`."
            )
