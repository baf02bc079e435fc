"""Suggestions for names that do not exist: what somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, allowed: Iterable[str], count: int = 1) -> list[str]:
    """Return the allowed names that are most like `name`, capitals aside, best first; at most `count`, often none."""
    by_lower_case = {candidate.lower(): candidate for candidate in allowed}
    return [by_lower_case[match] for match in difflib.get_close_matches(name.lower(), by_lower_case, n=count)]


def suggest(name: str, allowed: Iterable[str], otherwise: str, count: int = 1) -> str:
    """Return the mend for a name that does not exist.

    Args:
        name: what somebody wrote.
        allowed: what there is.
        otherwise: the mend where nothing is near.
        count: how many names may be suggested.

    Returns:
        `did you mean 'color'?`, or `otherwise`.
    """
    near = nearest(name, allowed, count)
    return f"did you mean {', '.join(map(repr, near))}?" if near else otherwise
