"""`discern release`: look after a repository of releases."""

from __future__ import annotations

from dataclasses import asdict

import click

from cli.console import InOrder, example, json_option, tell, tell_facts, tell_json, tell_table
from cli.release_care import collect, refresh, renew, repair, rotate
from cli.release_decisions import approve, pin, reject, rollback, unpin
from cli.release_mirrors import check
from cli.release_origins import diff, history_line, lineage, rebuild
from cli.repository_options import open_repository, repository_options

FIGURES = ("accuracy", "recall_at_1", "tpir", "fpir", "tnir")


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


@release.command("show", epilog=example("discern release show 8bad0c1d2e3f4a5b"))
@click.argument("release_id", metavar="RELEASE")
@repository_options
@json_option
def show(release_id: str, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Show what RELEASE is, where it came from and what happened to it."""
    opened = open_repository(repository, keys)
    manifest = opened.manifest(release_id)
    (published,) = [item for item in opened.releases() if item.id == release_id]
    records = [record for record in opened.history().records if release_id in (record.release, record.previous)]
    if as_json:
        told = {**asdict(published), "manifest": manifest.model_dump(mode="json")}
        tell_json({**told, "history": [record.model_dump(mode="json") for record in records]})
        return
    figures = {name: f"{value:.3f}" for name in FIGURES if (value := manifest.metrics.get(name)) is not None}
    size = manifest.total_bytes
    tell(f"Release {release_id} of {manifest.name}:")
    tell_facts({"created": published.created, "channels": ", ".join(published.channels) or None})
    tell_facts({**figures, "size": f"{size / 1e6:.1f} MB", **manifest.lineage.model_dump(mode="json")})
    for record in records:
        tell(history_line(record.model_dump(mode="json")))


@release.command("history", epilog=example("discern release history --channel production"))
@click.option("--channel", help="Of this channel alone.")
@repository_options
@json_option
def history(channel: str | None, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Show who put what on which channel, when and why."""
    records = open_repository(repository, keys).history().records
    lines = [record.model_dump(mode="json") for record in records if channel in (None, record.channel)]
    if as_json:
        tell_json(lines)
        return
    for line in lines:
        tell(history_line(line))


for command in (
    diff,
    lineage,
    rebuild,
    approve,
    reject,
    rollback,
    pin,
    unpin,
    check,
    refresh,
    rotate,
    renew,
    repair,
    collect,
):
    release.add_command(command)
