"""Keys of other services: out of ZenML's secret store, into the environment of this process, and nowhere else."""

from __future__ import annotations

import os

from discern.errors import ConfigError
from discern.sources.registry import AnySourceConfig, needed_keys

FIELD = "api_key"


def provide_for(config: AnySourceConfig) -> None:
    """Set the variables of every service that a source, or one of several, needs a key for.

    Raises:
        ConfigError: a key is neither in the environment nor in the secret store.
    """
    for key in needed_keys(config):
        provide(key.secret_name, key.variable)


def provide(name: str = "labelbox", variable: str = "LABELBOX_API_KEY", field: str = FIELD) -> None:
    """Set a variable of the environment from a ZenML secret, unless it is set already.

    Args:
        name: of the secret.
        variable: of the environment.
        field: key of the secret under which the value lies.

    Raises:
        ConfigError: neither is there.
    """
    if os.environ.get(variable, "").strip():
        return
    value = _stored(name, field)
    if not value:
        raise ConfigError(
            f"there is no ZenML secret {name!r} with a value {field!r}: run `zenml secret create {name} "
            f"--{field}=...`, or set {variable}."
        )
    os.environ[variable] = value


def _stored(name: str, field: str) -> str | None:
    from zenml.client import Client

    try:
        secret = Client().get_secret(name, allow_partial_name_match=False, allow_partial_id_match=False)
    except (KeyError, NotImplementedError):  # no such secret, or no secret store at all
        return None
    return (secret.secret_values.get(field) or "").strip() or None
