"""`discern keys`: where the keys are, what signs with them, and what a device is given."""

from __future__ import annotations

import json

import click

from cli.console import example, json_option, tell, tell_facts, tell_json
from cli.repository_options import open_repository, repository_options

PURPOSES = {
    "root": "names the other keys; a device trusts it from the first day",
    "targets": "signs releases and channels",
    "snapshot": "signs which metadata belong together",
    "timestamp": "signs, every 30 days at least, that there is nothing newer",
}


@click.command(epilog=example("discern keys"))
@repository_options
@json_option
def keys(repository: str | None, keys: str | None, as_json: bool) -> None:
    """Show where the signing keys are and what each signs.

    Nothing secret is shown. Each key is tried: a missing or damaged one, or one that others can read, is an error.
    """
    from discern.publication.keys import SIGNERS_FILE, public_key, read, read_signers

    opened = open_repository(repository, keys)
    ids = {role: public_key(opened.keys, role).keyid for role in PURPOSES}
    signers = json.loads(read(opened.keys, SIGNERS_FILE))
    shown = read_signers(opened.keys)
    if as_json:
        tell_json({"keys": opened.keys, "root": opened.root, "signers": signers, "key_ids": ids})
        return
    tell(f"Keys in {opened.keys} sign {opened.url}:")
    tell_facts(
        {role: f"{', '.join(shown.of(role))} ({ids[role][:16]}): {purpose}" for role, purpose in PURPOSES.items()}
    )
    tell(f"Give each device {opened.root} once; it is public. The *.pem files are secret: keep a copy of them offline.")
