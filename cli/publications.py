"""What a person or a device does with a release that a run put on a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.console import home

if TYPE_CHECKING:
    from orchestration.publishing import Publication


def state_of(publication: Publication, production: str) -> str:
    """Say whether a published release is live, or waits for a person on another channel than that of production."""
    return "is live" if publication.channel == production else "waits"


def next_command(publication: Publication, production: str) -> str:
    """Return the command by which a device takes a release, or by which a person lets devices have it."""
    on = "" if production == "production" else f" --channel {production}"
    if publication.channel != production:
        return f"discern release approve {publication.release}{on} --by NAME --why REASON"
    return f"discern-edge pull {publication.repository} --root {home() / 'keys' / 'root.json'}{on}"
