"""One way to tell: results on stdout as text or as one line of JSON, errors on stderr as one sentence."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from discern.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])

json_option: Callable[[Function], Function] = click.option(
    "--json", "as_json", is_flag=True, help="Tell the result as one line of JSON on stdout; all else goes to stderr."
)


def together(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Return one decorator that adds several arguments and options, in this order."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def example(*lines: str) -> str:
    """Return the end of a command's help: an example of how it is called."""
    indented = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExample:\n{indented}"


class InOrder(click.Group):
    """A group that lists its commands in the order in which they were added: that in which a person needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names as they were added."""
        return list(self.commands)


def home() -> Path:
    """Return the folder that everything is written to.

    Raises:
        ConfigError: the environment does not name one.
    """
    folder = os.environ.get("DISCERN_HOME")
    if not folder:
        raise ConfigError("DISCERN_HOME is not set: run `source .envrc` first.")
    return Path(folder)


def user() -> str:
    """Return the name of the user of this machine, empty where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):
        return ""


def tell(text: str) -> None:
    """Print a line of a result."""
    click.echo(text)


def tell_json(result: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print a result as one line of JSON."""
    click.echo(json.dumps(result))


def tell_facts(facts: Mapping[str, object]) -> None:
    """Print names and values in two columns; what has no value is left out."""
    known = {name: value for name, value in facts.items() if value is not None}
    width = max((len(name) for name in known), default=0)
    for name, value in known.items():
        tell(f"  {name:<{width}}  {value}")


def tell_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, as wide as its cells; nothing is cut off or wrapped, so that other programs can read it."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for number, line in enumerate(lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        text = "  ".join(cells).rstrip()
        click.secho(text, bold=number == 0)


@contextlib.contextmanager
def stdout_for_json(as_json: bool) -> Iterator[None]:
    """Within it, what libraries print goes to stderr where the result is told as JSON."""
    if not as_json:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def tell_error(sentence: str) -> None:
    """Print what is wrong."""
    click.secho(sentence, fg="red", err=True)
