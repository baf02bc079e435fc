"""Commands fail with one sentence, and the commands that messages name exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from cli.failing import fail
from discern.errors import DataError

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("cli", "discern", "orchestration", "stacks", "steps")
CODE = [path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py")]
NAMED = {name for path in CODE for name in re.findall(r"python -m (cli\.\w+)", path.read_text())}


def test_fail_prints_the_sentence_as_it_is_and_gives_exit_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    sentence = f"the photo [red]a.jpg[/red] in /{'very/long/' * 20} is damaged."
    assert fail(DataError(sentence)) == 1
    captured = capsys.readouterr()
    assert captured.err == f"{sentence}\n"
    assert captured.out == ""


@pytest.mark.parametrize("module", sorted(NAMED))
def test_a_command_that_a_message_names_exists(module: str) -> None:
    specification = importlib.util.find_spec(module)
    assert specification is not None
    assert specification.origin is not None
    assert 'if __name__ == "__main__":' in Path(specification.origin).read_text()
