"""The command as a whole: what it lists, how it ends, and how little it imports before it works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli import main as command
from cli.main import discern
from discern.errors import DataError
from tests.cli.calls import Caller

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "zenml", "mlflow", "pyarrow", "numpy", "pydantic", "timm", "rich"}


def commands(group: click.Group = discern, path: str = "") -> Iterator[str]:
    for name, member in group.commands.items():
        if isinstance(member, click.Group):
            yield from commands(member, f"{path} {name}")
        else:
            yield f"{path} {name}".strip()


def process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", list(commands()))
def test_help_of_every_command_shows_how_it_is_called(name: str) -> None:
    shown = CliRunner().invoke(discern, [*name.split(), "--help"], prog_name="discern")
    assert shown.exit_code == 0
    assert f"Example:\n    discern {name}" in shown.output


def test_help_tells_statuses_and_completion(call: Caller) -> None:
    ended = call("--help")
    assert ended.status == 0
    assert ended.err == ""
    for words in ("Exit status:", "130  it was interrupted", "_DISCERN_COMPLETE=bash_source discern"):
        assert words in ended.out


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; from cli.main import main; main(['--help']); print(*sys.modules, sep='\\n')"
    child = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert not HEAVY & set(child.stdout.splitlines())


def test_a_process_ends_with_one_sentence_and_a_status(tmp_path: Path) -> None:
    child = process("release", "list", DISCERN_HOME=str(tmp_path), ZENML_CONFIG_PATH=str(tmp_path / "zenml"))
    assert child.returncode == 1
    assert child.stdout == ""
    assert child.stderr.count("\n") == 1
    assert "discern release init" in child.stderr


def test_the_shell_is_told_how_to_complete() -> None:
    child = process(_DISCERN_COMPLETE="bash_source")
    assert child.returncode == 0
    assert "complete -o nosort -F _discern_completion discern" in child.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data", "rn"], "Did you mean 'run'?"),
        (["nothing"], "No such command 'nothing'"),
        (["data", "run"], "Name a use case or a config file"),
        (["data", "run", "pills", "-c", "x.yaml"], "Name a use case or a config file"),
        (["release", "rollback"], "Missing argument 'RELEASE'"),
        (["init", "parts"], "Missing option '--photos'"),
    ],
)
def test_a_wrong_call_is_status_2(call: Caller, arguments: list[str], says: str) -> None:
    ended = call(*arguments)
    assert ended.status == 2
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert says in ended.err
    assert "--help" in ended.err


def test_an_interrupt_is_status_130(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def wait() -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setitem(discern.commands, "wait", wait)
    # A shell starts what runs in the background with interrupts ignored, and its children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ended = call("wait")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ended.status, ended.err.strip()) == (130, "interrupted.")


def test_several_problems_are_a_line_each(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fail() -> None:
        raise DataError("the first: mend it.\nthe second [red]: mend it too.")

    monkeypatch.setitem(discern.commands, "fail", fail)
    assert call("fail").err == "the first: mend it.\nthe second [red]: mend it too.\n"
    assert call("fail").status == command.FAILED
