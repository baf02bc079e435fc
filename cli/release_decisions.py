"""What a person decides: `discern release approve|reject|rollback|pin|unpin`."""

from __future__ import annotations

import click

from cli.console import example, json_option, tell, tell_json
from cli.release_mirrors import follow_channels
from cli.repository_options import open_repository, person_options, repository_options

channel_option = click.option(
    "--channel", help="Channel that devices follow.  [default: what RELEASE waits for, else that of its use case]"
)
WHO = "--by Ada --why"


@click.command(epilog=example(f"discern release approve 8bad0c1d2e3f4a5b {WHO} 'tried on ten machines'"))
@click.argument("release_id", metavar="RELEASE")
@channel_option
@click.option("--anyway", is_flag=True, help="Also where production is not what RELEASE was judged against any more.")
@person_options
@repository_options
@json_option
def approve(
    release_id: str,
    channel: str | None,
    anyway: bool,
    by: str,
    why: str,
    repository: str | None,
    keys: str | None,
    as_json: bool,
) -> None:
    """Make a channel name RELEASE, which waits on another channel or was held back.

    It is refused where production changed since RELEASE was judged against it.
    """
    opened = open_repository(repository, keys)
    channel = opened.approve(release_id, by, why, channel, anyway=anyway)
    follow_channels(opened, release_id)
    if as_json:
        tell_json({"repository": opened.url, "channel": channel, "release": release_id})
        return
    tell(f"{channel} names {release_id}.")


@click.command(epilog=example(f"discern release reject 8bad0c1d2e3f4a5b {WHO} 'mistakes M6 for M8'"))
@click.argument("release_id", metavar="RELEASE")
@person_options
@repository_options
@json_option
def reject(release_id: str, by: str, why: str, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Note that RELEASE is not to be used: no run offers it again."""
    opened = open_repository(repository, keys)
    opened.reject(release_id, by, why)
    follow_channels(opened, release_id)
    if as_json:
        tell_json({"repository": opened.url, "release": release_id})
        return
    tell(f"{release_id} is rejected; `discern release approve` takes that back.")


@click.command(epilog=example(f"discern release rollback 8bad0c1d2e3f4a5b --channel parts-production {WHO} 'too slow'"))
@click.argument("release_id", metavar="RELEASE")
@channel_option
@person_options
@repository_options
@json_option
def rollback(
    release_id: str, channel: str | None, by: str, why: str, repository: str | None, keys: str | None, as_json: bool
) -> None:
    """Make a channel name the older release RELEASE again, which was live on it.

    No run puts the release that it named back; `discern release approve` does.
    """
    opened = open_repository(repository, keys)
    channel = opened.rollback(channel, release_id, by, why)
    follow_channels(opened, release_id)
    if as_json:
        tell_json({"repository": opened.url, "channel": channel, "release": release_id})
        return
    tell(f"{channel} names {release_id} again.")


@click.command(epilog=example(f"discern release pin production {WHO} 'no change during the audit'"))
@click.argument("channel")
@person_options
@repository_options
@json_option
def pin(channel: str, by: str, why: str, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Keep CHANNEL at the release that it names: nothing is put on it or taken from it."""
    opened = open_repository(repository, keys)
    opened.pin(channel, by, why)
    _tell_pin(opened.url, channel, as_json, pinned=True)


@click.command(epilog=example(f"discern release unpin production {WHO} 'the audit is over'"))
@click.argument("channel")
@person_options
@repository_options
@json_option
def unpin(channel: str, by: str, why: str, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Let a pinned CHANNEL go on."""
    opened = open_repository(repository, keys)
    opened.unpin(channel, by, why)
    _tell_pin(opened.url, channel, as_json, pinned=False)


def _tell_pin(url: str, channel: str, as_json: bool, *, pinned: bool) -> None:
    if as_json:
        tell_json({"repository": url, "channel": channel, "pinned": pinned})
        return
    tell(f"{channel} is pinned." if pinned else f"{channel} is not pinned any more.")
