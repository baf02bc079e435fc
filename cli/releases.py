"""Look after a repository of releases: `python -m cli.releases init|list|rollback|refresh`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.failing import fail
from discern.publication.repository import ReleaseRepository
from edge_runtime.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        repository = ReleaseRepository(options.repository, options.keys)
        options.run(repository, options, console)
    except UserError as error:
        return fail(error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cli.releases", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "init", _init, "make keys and the first signed metadata; safe to run again")
    _command(commands, "list", _list, "show the releases and which channels name them")
    _command(commands, "refresh", _refresh, "sign the timestamp again before it expires")
    rollback = _command(commands, "rollback", _rollback, "make a channel name an older release again")
    rollback.add_argument("release", help="id of the older release")
    rollback.add_argument("--channel", default="production")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    home = os.environ.get("DISCERN_HOME")
    places: dict[str, dict[str, Any]] = {
        name: {"default": f"{home}/{name}"} if home else {"required": True} for name in ("releases", "keys")
    }
    parser.add_argument(
        "--repository",
        help="folder or s3://bucket/prefix of the repository [DISCERN_HOME/releases]",
        **places["releases"],
    )
    parser.add_argument(
        "--keys",
        help="folder or s3://bucket/prefix with signers.json and root.json [DISCERN_HOME/keys]",
        **places["keys"],
    )
    parser.set_defaults(run=run)
    return parser


def _init(repository: ReleaseRepository, _options: argparse.Namespace, console: Console) -> None:
    repository.initialise()
    console.print(f"{repository.url} is ready; give devices {repository.root} once.", highlight=False, soft_wrap=True)


def _list(repository: ReleaseRepository, _options: argparse.Namespace, console: Console) -> None:
    table = Table("release", "name", "created", "channels")
    for release in repository.releases():
        table.add_row(release.id, Text(release.name), release.created, ", ".join(release.channels))
    console.print(table)


def _refresh(repository: ReleaseRepository, _options: argparse.Namespace, console: Console) -> None:
    repository.refresh()
    console.print(f"{repository.url} is signed anew.", highlight=False, soft_wrap=True)


def _rollback(repository: ReleaseRepository, options: argparse.Namespace, console: Console) -> None:
    repository.rollback(options.channel, options.release)
    console.print(f"{options.channel} names {options.release} again.", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
