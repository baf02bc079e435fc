"""The Labelbox API key and address, from the environment alone."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from discern.errors import ConfigError
from edge_runtime.service.settings import is_loopback

VARIABLE = "LABELBOX_API_KEY"
ADDRESS_VARIABLE = "LABELBOX_URL"
ADDRESS = "https://api.labelbox.com"
HIDDEN = "[the key]"


def api_key() -> str:
    """The key.

    Raises:
        ConfigError: it is not set, or is no key; the message does not hold it.
    """
    key = os.environ.get(VARIABLE, "").strip()
    if not key:
        raise ConfigError(
            f"Labelbox needs an API key: run `zenml secret create labelbox --api_key=...`, or set {VARIABLE}."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{VARIABLE} holds blanks or signs that no API key has: copy the key again.")
    return key


def address() -> str:
    """Return the address of Labelbox; it is another than its own only for those who run a server of theirs.

    Raises:
        ConfigError: it is not https; plain http is for this machine alone.
    """
    url = (os.environ.get(ADDRESS_VARIABLE) or ADDRESS).rstrip("/")
    parts = urlsplit(url)
    is_allowed = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not parts.hostname or not is_allowed:
        raise ConfigError(f"{ADDRESS_VARIABLE} is {url!r}, and the key is only sent over https: correct it.")
    return url


def without_key(text: str) -> str:
    """A text in which the key, if it is there, is hidden."""
    key = os.environ.get(VARIABLE, "").strip()
    return text.replace(key, HIDDEN) if key else text
