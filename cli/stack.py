"""`discern stack`: bring ZenML's stacks to what the files in `stacks/` say."""

from __future__ import annotations

import os

import click

from cli.console import example, home, json_option, stdout_for_json, tell, tell_json


@click.group()
def stack() -> None:
    """Make the stacks that pipelines run on: local, or with a bucket."""


@stack.command("apply", epilog=example("discern stack apply local"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--create-bucket", is_flag=True, help="Make the stack's bucket if it is missing.")
@json_option
def apply_stacks(names: tuple[str, ...], create_bucket: bool, as_json: bool) -> None:
    """Create or update stacks, `local` if none is named.

    A second time changes nothing.
    """
    with stdout_for_json(as_json):
        changes = bring_up(names or ("local",), create_bucket=create_bucket)
    if as_json:
        tell_json(changes)
        return
    for name, change in changes.items():
        tell(f"stack {name}: {change}")


def bring_up(names: tuple[str, ...], *, create_bucket: bool = False) -> dict[str, str]:
    """Apply the named stacks; the first becomes the active one, unless a person has chosen one already.

    Returns:
        Name of a stack -> created, updated or unchanged.

    Raises:
        ConfigError: a stack's file, the environment or the bucket is not as it must be.
    """
    from stacks.spec import read_spec

    home()
    specs = [read_spec(name, os.environ) for name in names]
    # ZenML takes seconds to import: not before the files are known to be good.
    from stacks import apply, buckets

    apply.initialise_repository()
    changes = {}
    for spec in specs:
        buckets.prepare(spec, create_bucket=create_bucket)
        changes[spec.stack_name] = str(apply.apply(spec))
    apply.activate_if_default(specs[0].stack_name)
    return changes
