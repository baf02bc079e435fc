"""Where a release goes live, and whether a person is asked before."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Approval = Literal["automatic", "manual"]


class Channels(BaseModel):
    """The channels of a use case.

    Args:
        production: the channel that devices follow.
        staging: the channel of releases that wait for a person.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    production: str = "production"
    staging: str = "staging"
