"""The command `discern` and its one way to end: exit status, and one sentence on stderr where something is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cli.console import InOrder, tell_error
from cli.dashboards import dashboard, mlflow
from cli.data import data
from cli.demo import demo
from cli.enrol import enrol, retire
from cli.init import init
from cli.keys import keys
from cli.label import label
from cli.release import release
from cli.stack import stack
from cli.training import promote, train
from edge_runtime.errors import UserError

DONE, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130

EPILOG = """\b
From photos to a release:
  discern init parts --photos ~/photos   # a folder of photos for each class
  discern data run parts
  discern train parts
  discern promote parts

\b
A new thing, from a few photos, without training:
  discern enrol parts washer-m6 photos/*.jpg

\b
Exit status:
  0    it is done
  1    something is wrong: one sentence on stderr tells what, where, and the mend
  2    the command is not called like this
  130  it was interrupted

\b
Completion in the shell (zsh and fish likewise):
  eval "$(_DISCERN_COMPLETE=bash_source discern)"
"""


@click.group(cls=InOrder, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
def discern() -> None:
    """Tell look-alike things apart: from a folder of photos to a signed release on a device.

    The device's own command is `discern-edge`.
    """


for command in (init, demo, data, train, promote, enrol, retire, release, label, stack, keys, mlflow, dashboard):
    discern.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after `discern`; those of this process if None.

    Returns:
        The exit status, as `discern --help` documents it.
    """
    try:
        # Without click's own ending a command returns what it likes; a status comes from `Exit` alone.
        discern.main(list(arguments) if arguments is not None else None, prog_name="discern", standalone_mode=False)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "discern"
        tell_error(f"{error.format_message()} (`{path} --help` shows how it is called.)")
        return WRONG_CALL
    except (click.ClickException, UserError) as error:
        tell_error(str(error))
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        tell_error("interrupted.")
        return INTERRUPTED
    return DONE
