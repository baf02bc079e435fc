"""Where things lie: beside the active stack's artifact store, locally as in a bucket (the design's one layout)."""

from __future__ import annotations

from zenml.client import Client

from discern.errors import ConfigError

STORE = "zenml"


def root() -> str:
    """The bucket, or the folder with the layout of one: the parent of the active artifact store's path.

    Raises:
        ConfigError: the active stack is not one of ours.
    """
    stack = Client().active_stack
    path = stack.artifact_store.path.rstrip("/")
    parent, _, name = path.rpartition("/")
    if name != STORE or not parent:
        raise ConfigError(
            f"The active stack {stack.name!r} keeps its artifacts in {path}, not in a folder named {STORE!r}: "
            "run `python -m cli.stacks apply` and `zenml stack set local`."
        )
    return parent


def shards() -> str:
    """Immutable shards of all dataset versions."""
    return f"{root()}/datasets/shards"


def releases() -> str:
    """The signed repository that devices read."""
    return f"{root()}/releases"


def reports() -> str:
    """The static site for people."""
    return f"{root()}/reports"


def checkpoint(fingerprint: str) -> str:
    """The newest state of one training."""
    return f"{root()}/checkpoints/{fingerprint}.pt"
