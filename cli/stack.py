"""`discern stack`: bring ZenML's stacks to what the files in `stacks/` say, and examine them."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cli.console import example, home, json_option, stdout_for_json, tell, tell_json
from discern.errors import ConfigError
from discern.words import counted

if TYPE_CHECKING:
    from stacks.doctor.findings import Finding


@click.group()
def stack() -> None:
    """Make and examine the stacks that pipelines run on: local, or with a bucket."""


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


@stack.command("doctor", epilog=example("discern stack doctor", "discern stack doctor local-s3"))
@click.argument("name", required=False)
@click.option("--keys", help="Folder or address of signers.json.  [default: $DISCERN_HOME/keys]")
@json_option
def doctor(name: str | None, keys: str | None, as_json: bool) -> None:
    """Check what a run on a stack relies on.

    It is the active stack if none is named. One line a check, within half a minute; nothing is changed, and nothing is
    left behind. The exit status is 1 where there is a fault.
    """
    from stacks.spec import variables_of

    folder = home()
    if name is not None:
        variables_of(name)  # ZenML takes seconds to import: not before the stack is known to exist
    with stdout_for_json(as_json):
        from stacks.doctor.examination import active_stack, examine

        chosen = name or active_stack()
        findings = examine(chosen, folder, keys)
    faults = sum(finding.level == "fault" for finding in findings)
    if as_json:
        tell_json({"stack": chosen, "faults": faults, "findings": [asdict(finding) for finding in findings]})
    else:
        _tell_findings(chosen, findings)
    if faults:
        raise ConfigError(f"The stack {chosen!r} has {counted(faults, 'fault')}: mend what is told above.")


def _tell_findings(name: str, findings: list[Finding]) -> None:
    tell(f"stack {name}")
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        tell(f"  {finding.level:<7}  {finding.check:<{width}}  {finding.text}")


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
