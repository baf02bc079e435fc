"""Call `discern` in this process, as a shell would."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """What the last line of stdout says in JSON."""
        return json.loads(self.out.splitlines()[-1])


class Caller:
    """Calls `discern` and catches what it writes."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Ended:
        self._capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        written = self._capsys.readouterr()
        return Ended(status, written.out, written.err)

    def refused(self, *arguments: object) -> str:
        """Call it, and return the one sentence by which it fails."""
        ended = self(*arguments)
        assert ended.status == 1, ended
        assert ended.out == ""
        (sentence,) = ended.err.splitlines()
        return sentence
