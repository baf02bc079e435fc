"""Put a release that was let through where its decision says: on a channel, or before a person.

Rules kept:
- a decision against a release, or a person's, changes nothing on any channel;
- what the test set is too small to tell waits for a person, like all releases where `approval` is manual;
- a release is published over what it was judged against, and over nothing else;
- whatever happened, the signatures are fresh and the mirrors say what the channels say.
"""

from __future__ import annotations

from datetime import datetime, timezone

from pydantic import BaseModel, ConfigDict
from zenml.logger import get_logger

from discern.errors import ConfigError, PublicationError
from discern.evaluation.gates import PromotionDecision
from discern.publication.channels import Approval, Channels
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from orchestration.mirrors import follow
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


def publish_release(
    candidate: Release,
    decision: PromotionDecision,
    use_case: str,
    keys: str | None,
    approval: Approval,
    channels: Channels,
    expected: str | None,
) -> Publication:
    """Publish or stage `candidate` if the decision says so and no person said otherwise; the mirrors follow.

    Args:
        candidate: the release.
        decision: on it.
        use_case: whose release it is.
        keys: path or address of the folder with `signers.json` and `root.json`; the stack's own without it.
        approval: `manual` stops at the staging channel.
        channels: of the use case.
        expected: the release in production that `candidate` was judged against; "" or None where there was none.

    Raises:
        ConfigError: a private key is neither in the environment nor in the secret.
        PublicationError: a channel is of another use case or is pinned, production is another release by now, another
            release waits for a person, or the repository cannot be read or written.
    """
    repository = release_repository(keys)
    channel = None
    try:
        reason = _why_not(repository, candidate, decision, channels.production)
        if reason is None:
            automatic = approval == "automatic" and decision.promote
            channel, reason = channels.production if automatic else channels.staging, decision.reason
            for named in dict.fromkeys((channels.production, channel)):
                check_channel(repository, named, candidate.manifest.name)
            _put(signing_repository(keys), candidate, decision, channel, channels, expected or None)
        else:
            logger.info("Release %s is not published (%s); nothing changes.", candidate.id, reason)
    finally:
        _refresh_when_due(repository, keys)
    for problem in follow(repository, use_case, channels):
        logger.warning(problem)
    return Publication(release=candidate.id, channel=channel, repository=repository.url, reason=reason)


def check_channel(repository: ReleaseRepository, channel: str, use_case: str) -> None:
    """Refuse a channel that devices of another use case follow.

    Raises:
        PublicationError: it names a release of another use case.
    """
    release = repository.current(channel)
    if release is None:
        return
    name = repository.manifest(release).name
    if name != use_case:
        raise PublicationError(
            f"channel {channel!r} of {repository.url} names release {release} of the use case {name!r}: give "
            f"{use_case!r} channels of its own in its promotion config, such as "
            f"`channels: {{production: {use_case}-production, staging: {use_case}-staging}}`."
        )


def _why_not(
    repository: ReleaseRepository, candidate: Release, decision: PromotionDecision, channel: str
) -> str | None:
    """Return the reason why a candidate goes nowhere, None where it is to be published; a person's comes first."""
    if held := repository.is_held(candidate.id, channel):
        return f"a person decides: {held}"
    # What the test set is too small to tell is put before a person.
    return decision.reason if decision.outcome == "refused" else None


def _put(
    repository: ReleaseRepository,
    candidate: Release,
    decision: PromotionDecision,
    channel: str,
    channels: Channels,
    judged_against: str | None,
) -> None:
    told: dict[str, str | None] = {"why": decision.reason, "decision": decision.record}
    if channel != channels.production:
        production = channels.production
        repository.stage(candidate, channel, production=production, judged_against=judged_against, **told)
        logger.info(
            "Release %s waits on channel %s of %s for a person (%s): `discern release approve %s --channel %s`.",
            *(candidate.id, channel, repository.url, decision.reason, candidate.id, production),
        )
        return
    repository.publish(candidate, channel, judged_against, staging=channels.staging, **told)
    logger.info("Release %s is live on channel %s of %s (%s).", candidate.id, channel, repository.url, decision.reason)


def _refresh_when_due(repository: ReleaseRepository, keys: str | None) -> None:
    """Sign the state again where half of the timestamp's time is over; a run that has no keys is none the worse."""
    until = "its signatures expire"
    try:
        expires = repository.expires()["timestamp"]
        until = str(expires)
        if expires - datetime.now(timezone.utc) <= repository.store.expiries.timestamp / 2:
            signing_repository(keys).refresh()
    except (ConfigError, PublicationError) as error:
        logger.warning("%s was not signed anew, and devices take updates until %s: %s", repository.url, until, error)
