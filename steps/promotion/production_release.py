"""Look up the release that devices use now, so that the comparison is made anew whenever production has changed."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from orchestration.signing import release_repository


# Never cached: what is asked is what the repository says now. The output is a key of the cached comparison.
@step(enable_cache=False)
def production_release(keys: str | None, channel: str) -> Annotated[str, "production_release"]:
    """Return the id of the release that `channel` names; empty where nothing is in production.

    Raises:
        PublicationError: the repository cannot be read, or is not what these keys signed.
    """
    return release_repository(keys).current(channel) or ""
