"""Errors of the library. One root, under the device's, and every message is one sentence: what, where, the mend."""

from __future__ import annotations

from edge_runtime.errors import UserError, first_line

__all__ = [
    "ConfigError",
    "DataError",
    "DiscernError",
    "GateError",
    "PublicationError",
    "TrainingError",
    "first_line",
]


class DiscernError(UserError):
    """Root of the library's errors."""


class ConfigError(DiscernError):
    """A configuration names something that does not exist or does not fit."""


class DataError(DiscernError):
    """Photos, labels or a dataset version cannot be used."""


class TrainingError(DiscernError):
    """A model cannot be built, trained or exported."""


class PublicationError(DiscernError):
    """A release cannot be built, signed or published."""


class GateError(DiscernError):
    """A gate refused to let a run go on."""
