"""Addresses of everything that a step reads or writes, derived from the active stack and from nothing else.

A step runs on any machine that knows the stack: it needs no folder of this repository and none of DISCERN_HOME. The
parent of the artifact store's path is the root, a bucket or a folder with the layout of one:

    ROOT/zenml/              the artifact store itself: dataset manifests, models, candidates
    ROOT/datasets/shards/    shards of all dataset versions
    ROOT/checkpoints/        the newest state of each training
    ROOT/releases/           the signed repository that devices read
    ROOT/enrolments/         what was enrolled without training, a ledger each use case
    ROOT/reports/            the static site for people
    ROOT/keys/               signers.json and root.json, unless a config names another address

The experiment tracker is a component of the stack, and ZenML connects it before a step runs. Keys of other services and
private keys that signers.json looks for in the environment come from the secret store (`orchestration.secrets`).
"""

from __future__ import annotations

from zenml.client import Client

from discern.errors import ConfigError

STORE = "zenml"


def root() -> str:
    """The parent of the active artifact store's path.

    Raises:
        ConfigError: the active stack is not one of ours.
    """
    stack = Client().active_stack
    path = stack.artifact_store.path.rstrip("/")
    parent, _, name = path.rpartition("/")
    if name != STORE or not parent:
        raise ConfigError(
            f"The active stack {stack.name!r} keeps its artifacts in {path}, not in a folder named {STORE!r}: "
            "run `discern stack apply` and `zenml stack set local`."
        )
    return parent


def shards() -> str:
    """Immutable shards of all dataset versions."""
    return f"{root()}/datasets/shards"


def releases() -> str:
    """The signed repository that devices read."""
    return f"{root()}/releases"


def enrolments(use_case: str) -> str:
    """The ledger of what was enrolled into releases of a use case without training."""
    return f"{root()}/enrolments/{use_case}"


def reports() -> str:
    """The static site for people."""
    return f"{root()}/reports"


def checkpoint(fingerprint: str) -> str:
    """The newest state of one training."""
    return f"{root()}/checkpoints/{fingerprint}.pt"


def keys(configured: str | None = None) -> str:
    """The folder with signers.json and root.json; `configured` is the address that a config names."""
    return configured or f"{root()}/keys"
