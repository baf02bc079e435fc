"""The signed repository as a step sees it: addressed by the stack, its keys by a config, a secret store or both."""

from __future__ import annotations

from discern.publication.keys import signing_variables
from discern.publication.repository import ReleaseRepository
from orchestration import storage_layout
from orchestration.secrets import provide

SECRET = "signing-keys"  # noqa: S105  the name of a secret


def release_repository(keys: str | None) -> ReleaseRepository:
    """Open the active stack's repository, to read from.

    Args:
        keys: path or address of the folder with `signers.json` and `root.json`; the stack's own without it.

    Raises:
        PublicationError: the address is of a kind that is not known.
    """
    return ReleaseRepository(storage_layout.releases(), storage_layout.keys(keys))


def signing_repository(keys: str | None) -> ReleaseRepository:
    """Open the active stack's repository, to publish to.

    A private key that `signers.json` names by `env:VARIABLE` is taken from the secret `signing-keys`, where the
    variable is not set already.

    Raises:
        ConfigError: a private key is neither in the environment nor in the secret.
        PublicationError: `signers.json` is missing or damaged.
    """
    repository = release_repository(keys)
    for variable in signing_variables(repository.keys):
        provide(SECRET, variable, field=variable)
    return repository
