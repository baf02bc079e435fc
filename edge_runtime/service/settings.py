"""The service's settings, read once and typed."""

from __future__ import annotations

import hmac
import ipaddress
import os
from dataclasses import dataclass, field

from edge_runtime.core.images import ImageLimits
from edge_runtime.errors import SettingsError

TOKEN_MIN = 16  # characters


class Secret:
    """A value that hides itself in `repr`, in `str` and so in logs and tracebacks."""

    def __init__(self, value: str) -> None:
        if len(value) < TOKEN_MIN:
            raise SettingsError(f"the token has {len(value)} characters: use at least {TOKEN_MIN}.")
        self._value = value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def matches(self, text: str) -> bool:
        """Compare in a time that does not tell how much of `text` is right."""
        return hmac.compare_digest(self._value.encode(), text.encode())


@dataclass(frozen=True)
class ServiceSettings:
    """Settings of the service.

    Attributes:
        token: what callers must send as `Authorization: Bearer`; None only where nobody else can call.
        limits: what is accepted as a photo.
        max_request_bytes: a request's body; a little more than a photo, for the form around it.
        workers: photos decoded and embedded at once; each may take 200 MB while a large photo is decoded.
        poll_seconds: how often `current` is looked at for a newly pulled release.
    """

    token: Secret | None = None
    limits: ImageLimits = field(default_factory=ImageLimits)
    max_request_bytes: int = 33 * 1024 * 1024
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    poll_seconds: float = 2.0


def is_loopback(host: str) -> bool:
    """Say whether only programs of this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_binding(host: str, token: Secret | None) -> None:
    """Refuse to listen to other machines without a token.

    Raises:
        SettingsError: it would.
    """
    if token is None and not is_loopback(host):
        raise SettingsError(
            f"--host {host} lets other machines call: set a token in DISCERN_EDGE_TOKEN, or listen on 127.0.0.1."
        )
