"""`discern release`: look after a repository of releases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cli.console import Function, InOrder, example, home, json_option, tell, tell_json, tell_table

if TYPE_CHECKING:
    from discern.publication.repository import ReleaseRepository

DAYS = 30  # that a timestamp is good for, see discern.publication.metadata


def repository_options(function: Function) -> Function:
    """Add the options that say where a repository and its keys are."""
    options: list[Callable[..., Any]] = [
        click.option("--repository", help="Folder or s3://bucket/prefix.  [default: $DISCERN_HOME/releases]"),
        click.option("--keys", help="Folder or address of signers.json.  [default: $DISCERN_HOME/keys]"),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def open_repository(repository: str | None, keys: str | None) -> ReleaseRepository:
    """Return the repository that options mean.

    Raises:
        ConfigError: an option is missing, and DISCERN_HOME is not set.
    """
    from discern.publication.repository import ReleaseRepository

    return ReleaseRepository(repository or str(home() / "releases"), keys or str(home() / "keys"))


@click.group(cls=InOrder)
def release() -> None:
    """Look after the signed releases that devices pull."""


@release.command("init", epilog=example("discern release init"))
@repository_options
@json_option
def initialise(repository: str | None, keys: str | None, as_json: bool) -> None:
    """Make keys and the first signed metadata; what exists is kept."""
    opened = open_repository(repository, keys)
    opened.initialise()
    if as_json:
        tell_json({"repository": opened.url, "root": opened.root})
        return
    tell(f"{opened.url} is ready; give devices {opened.root} once.")


@release.command("list", epilog=example("discern release list"))
@repository_options
@json_option
def list_releases(repository: str | None, keys: str | None, as_json: bool) -> None:
    """Show the releases, and which channels name them."""
    releases = open_repository(repository, keys).releases()
    if as_json:
        tell_json([asdict(published) for published in releases])
        return
    tell_table(
        ("release", "name", "created", "channels"),
        [(item.id, item.name, item.created, ", ".join(item.channels)) for item in releases],
    )


@release.command("rollback", epilog=example("discern release rollback 8bad0c1d2e3f4a5b --channel parts-production"))
@click.argument("release_id", metavar="RELEASE")
@click.option("--channel", default="production", show_default=True, help="Channel that devices follow.")
@repository_options
@json_option
def rollback(release_id: str, channel: str, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Make a channel name the older release RELEASE again."""
    opened = open_repository(repository, keys)
    opened.rollback(channel, release_id)
    if as_json:
        tell_json({"repository": opened.url, "channel": channel, "release": release_id})
        return
    tell(f"{channel} names {release_id} again.")


@release.command("refresh", epilog=example("discern release refresh"))
@repository_options
@json_option
def refresh(repository: str | None, keys: str | None, as_json: bool) -> None:
    """Sign the timestamp again, every 30 days at least.

    Devices take no update once it is older.
    """
    opened = open_repository(repository, keys)
    opened.refresh()
    if as_json:
        tell_json({"repository": opened.url})
        return
    tell(f"{opened.url} is signed anew, for {DAYS} days.")
