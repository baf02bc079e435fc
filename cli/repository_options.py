"""Which repository of releases a command is about, and who decides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import home, together
from discern.errors import ConfigError, first_line

if TYPE_CHECKING:
    from discern.publication.repository import ReleaseRepository


repository_options = together(
    click.option(
        "--repository",
        help="Folder or s3://bucket/prefix.  [default: that of the active stack, else $DISCERN_HOME/releases]",
    ),
    click.option(
        "--keys",
        help="Folder or address of signers.json.  [default: beside that repository where there are some, else "
        "$DISCERN_HOME/keys]",
    ),
)
person_options = together(
    click.option("--by", required=True, help="Who decides; it is kept in the signed history."),
    click.option("--why", required=True, help="The reason; it is kept in the signed history."),
)


def open_repository(repository: str | None, keys: str | None) -> ReleaseRepository:
    """Return the repository that options mean.

    Raises:
        ConfigError: an option is missing, and neither a stack nor DISCERN_HOME tells; or the stack cannot be asked.
    """
    from discern.publication.repository import ReleaseRepository

    root = None if repository and keys else _root_of_stack()
    return ReleaseRepository(repository or f"{root or home()}/releases", keys or _keys_beside(root))


def is_of_the_active_stack(repository: ReleaseRepository) -> bool:
    """Return True for the repository that the pipelines of the active stack publish to.

    Raises:
        ConfigError: the stack cannot be asked.
    """
    root = _root_of_stack()
    return root is not None and _place(repository.url) == _place(f"{root}/releases")


def _place(url: str) -> str:
    return url.rstrip("/") if "://" in url else str(Path(url).resolve())


def _keys_beside(root: str | None) -> str:
    """Return the keys of the stack if it has some: nobody wants private keys in a bucket by surprise."""
    from discern.publication.keys import SIGNERS_FILE, exists

    if root is not None and exists(f"{root}/keys", SIGNERS_FILE):
        return f"{root}/keys"
    return str(home() / "keys")


def _root_of_stack() -> str | None:
    """Return where the active stack keeps its data; None without ZenML's database, or with a stack of others."""
    config = os.environ.get("ZENML_CONFIG_PATH")
    if not config or not (Path(config) / "config.yaml").is_file():
        return None
    from orchestration import storage_layout

    try:
        return storage_layout.root()
    except ConfigError:
        return None
    except (RuntimeError, KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"The active stack cannot be asked ({first_line(error)}): name --repository and --keys."
        ) from None
