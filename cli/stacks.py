"""`python -m cli.stacks apply [NAME ...]`: bring ZenML's stacks to what the files in `stacks/` say."""

from __future__ import annotations

import argparse
import os
import sys

from rich.console import Console

from cli.failing import fail
from discern.errors import ConfigError
from edge_runtime.errors import UserError
from stacks.spec import available, read_spec


def main(arguments: list[str] | None = None) -> int:
    """Apply the named stacks; without a name, `local` alone. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cli.stacks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    apply_parser = commands.add_parser("apply", help="create or update stacks; a second time changes nothing")
    apply_parser.add_argument("names", nargs="*", default=["local"], metavar="NAME", help=", ".join(available()))
    apply_parser.add_argument("--create-bucket", action="store_true", help="make the stack's bucket if it is missing")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        if not os.environ.get("DISCERN_HOME"):
            raise ConfigError("DISCERN_HOME is not set: run `source .envrc` first.")
        specs = [read_spec(name, os.environ) for name in options.names]
        # ZenML takes seconds to import: not before the files are known to be good.
        from stacks import apply, buckets

        apply.initialise_repository()
        for spec in specs:
            buckets.prepare(spec, create_bucket=options.create_bucket)
            console.print(f"stack {spec.stack_name}: {apply.apply(spec)}")
        apply.activate_if_default(specs[0].stack_name)
    except UserError as error:
        return fail(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
