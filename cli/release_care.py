"""What keeps a repository sound: `discern release refresh|rotate|renew-root|repair|collect`."""

from __future__ import annotations

import click

from cli.console import example, json_option, tell, tell_error, tell_json
from cli.repository_options import open_repository, person_options, repository_options

DAYS = 30  # that a timestamp is good for, see discern.publication.metadata


@click.command(epilog=example("discern release refresh"))
@repository_options
@json_option
def refresh(repository: str | None, keys: str | None, as_json: bool) -> None:
    """Sign the timestamp again, every 30 days at least.

    Devices take no update once it is older.
    """
    from discern.publication.roots import expiry_warning

    opened = open_repository(repository, keys)
    opened.refresh()
    expires = opened.expires()["root"]
    warning = expiry_warning(expires)
    if as_json:
        tell_json({"repository": opened.url, "root_expires": expires.isoformat(), "warning": warning})
        return
    tell(f"{opened.url} is signed anew, for {DAYS} days.")
    if warning:
        tell_error(warning)


@click.command(
    epilog=example(
        "discern release rotate timestamp --by Ada --why 'the scheduler moved'",
        "discern release rotate root --threshold 2 --by Ada --why 'two people sign from now on'",
    )
)
@click.argument("role", type=click.Choice(["root", "targets", "snapshot", "timestamp"]))
@click.option("--signer", "signers", multiple=True, help="URI of the new key, such as awskms:KEY; else a file is made.")
@click.option("--threshold", type=click.IntRange(min=1), help="Of root alone: how many keys have to sign.")
@person_options
@repository_options
@json_option
def rotate(
    role: str,
    signers: tuple[str, ...],
    threshold: int | None,
    by: str,
    why: str,
    repository: str | None,
    keys: str | None,
    as_json: bool,
) -> None:
    """Give ROLE another key; devices follow by themselves.

    Cut off, it goes on when it is run again.
    """
    from discern.publication.decisions import Person
    from discern.publication.rotation import rotate as change_keys

    opened = open_repository(repository, keys)
    root = change_keys(opened.store, role, Person(by, why), signers=signers, threshold=threshold)
    if as_json:
        tell_json({"repository": opened.url, "role": role, "root": root.version, "key_ids": root.roles[role].keyids})
        return
    tell(f"{role} is signed by another key, which root {root.version} names; keep a copy of {opened.keys} offline.")


@click.command("renew-root", epilog=example("discern release renew-root"))
@repository_options
@json_option
def renew(repository: str | None, keys: str | None, as_json: bool) -> None:
    """Sign the root anew for five years, before it expires or after."""
    from discern.publication.rotation import renew_root

    opened = open_repository(repository, keys)
    expires = renew_root(opened.store)
    if as_json:
        tell_json({"repository": opened.url, "root_expires": expires.isoformat()})
        return
    tell(f"The root of {opened.url} is good until {expires:%Y-%m-%d}.")


@click.command(epilog=example("discern release repair"))
@click.option(
    "--unsigned", is_flag=True, help="Where no signed list is left, list and sign the releases that lie there."
)
@repository_options
@json_option
def repair(unsigned: bool, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Bring a repository back from what still lies there, and say what was done.

    Nothing is deleted, and a repository that is whole is left as it is.
    """
    from discern.publication.repair import repair as bring_back

    opened = open_repository(repository, keys)
    done = bring_back(opened.store, unsigned=unsigned)
    if as_json:
        tell_json({"repository": opened.url, "done": done})
        return
    for line in done or [f"{opened.url} is whole: nothing was changed."]:
        tell(line)


@click.command(epilog=example("discern release collect --dry-run"))
@click.option("--keep", default=10, show_default=True, help="Releases of each channel that stay, from the newest.")
@click.option("--dry-run", is_flag=True, help="Delete nothing, and show what would go.")
@repository_options
@json_option
def collect(keep: int, dry_run: bool, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Delete old releases and files that nothing needs.

    What a channel names or was rolled back to stays, with what it was enrolled into, and whatever is younger than a
    day. Files of releases that leave the list go by a collection a day later.
    """
    from discern.publication.collection import collect as delete_unneeded

    opened = open_repository(repository, keys)
    gone = delete_unneeded(opened.store, keep, dry_run=dry_run)
    if as_json:
        tell_json(
            {
                "repository": opened.url,
                "dry_run": dry_run,
                "releases": gone.releases,
                "files": gone.files,
                "bytes": gone.bytes,
                "later": gone.later,
            }
        )
        return
    for release in gone.releases:
        tell(f"release {release}")
    for name in gone.files:
        tell(name)
    would = "would be" if dry_run else "are"
    tell(f"{len(gone.releases)} releases and {len(gone.files)} files: {gone.bytes / 1e6:,.1f} MB {would} free.")
    if gone.later:
        tell(f"{len(gone.later)} files of before go by a collection in a day: devices may be fetching them.")
