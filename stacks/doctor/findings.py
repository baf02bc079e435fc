"""What a check finds: one line each, and a fault is one sentence with its mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        check: what was looked at.
        level: `fault` where work would fail, `warning` where it may, or where nothing could be told.
        text: one sentence.
    """

    check: str
    level: Level
    text: str


def ok(check: str, text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, "ok", text)


def warning(check: str, text: str) -> Finding:
    """Return a finding that somebody should know of."""
    return Finding(check, "warning", text)


def fault(check: str, text: str) -> Finding:
    """Return a finding that stops work."""
    return Finding(check, "fault", text)
