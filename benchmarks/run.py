"""A run of a benchmark, from its command line to its results file.

Rules kept:
- the commit and a mark of the code are taken when the run starts: what is measured is what was imported then;
- figures whose code changed meanwhile, or that come from outside a checkout, never reach `benchmarks/results`: they
  stay in the work folder with the reason, and the run ends with an error;
- an option that changes what is measured (`add_trial`) is part of the command, and its figures stay in the work folder,
  in a file that names it: they never stand for those of the plain command.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from benchmarks import results
from benchmarks.results import REPOSITORY, MeasuredCode


@dataclass(frozen=True)
class Run:
    """A benchmark that was started.

    Attributes:
        name: of the benchmark.
        options: of its command line.
        command: what a person types to get the figures again.
        trial: the options that change what is measured, as a file is named; empty where there is none.
        code: the code that runs.
        commit, code_mark: of that code when the run started.
    """

    name: str
    options: argparse.Namespace
    command: str
    trial: str
    code: MeasuredCode
    commit: str | None
    code_mark: str

    def save(
        self,
        figures: Mapping[str, Any],
        *,
        seeds: int = 1,
        precision: str | None = None,
        folder: Path | None = None,
    ) -> Path:
        """Write the figures to `benchmarks/results/NAME.json`, those of a trial to the work folder, and show them.

        Args:
            figures: name -> number; None where one could not be computed.
            seeds: how many trainings they are the means of.
            precision: the numbers that the trainings computed with, where there were any.
            folder: another place than `benchmarks/results`.

        Raises:
            SystemExit: the code changed since the run started, or its commit is not known: the figures are in the work
                folder.
        """
        doubts = self._doubts()
        content = {
            "command": self.command + (f" --seeds {seeds}" if seeds > 1 else ""),
            "date": datetime.now(timezone.utc).date().isoformat(),
            "commit": self.commit,
            "code_mark": self.code_mark,
            **({} if precision is None else {"precision": precision}),
            "threads": results.threads(),
            "machine": results.machine(),
            **({"doubts": doubts} if doubts else {}),
            "figures": dict(figures),
        }
        published = not self.trial and not doubts
        place = (folder or results.FOLDER) if published else self.options.work
        name = "-".join([self.name, *filter(None, [self.trial]), *(["doubtful"] if doubts else [])])
        path = place / f"{name}.json"
        results.write(path, content)
        if doubts and not self.trial:
            raise SystemExit(f"{' '.join(doubts)} The figures are in {path} alone: run the benchmark again.")
        return path

    def _doubts(self) -> list[str]:
        doubts = []
        if self._code_changed():
            doubts.append(f"The code or the configs of benchmarks.{self.name} changed while it ran.")
        if self.commit is None:
            doubts.append(f"{REPOSITORY} is no git checkout, so nobody can tell which code was measured.")
        return doubts

    def _code_changed(self) -> bool:
        try:
            return self.code.mark() != self.code_mark
        except (ImportError, OSError, SyntaxError, ValueError, yaml.YAMLError):
            return True  # somebody is in the middle of a change, and the figures of hours are not to be lost for it


class BenchmarkParser(argparse.ArgumentParser):
    """The command line of a benchmark.

    Args:
        name: of the module in `benchmarks`.
        description: its docstring.
        use_cases: the folders of `configs/` that it reads.
        modules: code that it runs without importing it.
    """

    def __init__(
        self, name: str, description: str | None, *, use_cases: Sequence[str] = (), modules: Sequence[str] = ()
    ) -> None:
        super().__init__(prog=f"python -m benchmarks.{name}", description=description)
        self.code = MeasuredCode((f"benchmarks.{name}", *modules), use_cases)
        self.name = name
        self._places: list[str] = []
        self._trials: list[argparse.Action] = []
        self.add_argument(
            "--work", type=Path, default=REPOSITORY / "logs", help="what a run leaves, and figures that do not count"
        )

    def add_place(self, flag: str, meaning: str) -> None:
        """Add an option that says where the data of the benchmark lie on this machine, and must be given."""
        self.add_argument(flag, required=True, help=meaning)
        self._places.append(flag)

    def add_trial(self, flag: str, **settings: Any) -> None:
        """Add an option, with the settings of `add_argument`, that changes what is measured where it is given.

        A `metavar` stands in the command in place of the value, such as PATH for a folder of this machine.
        """
        self._trials.append(self.add_argument(flag, **settings))

    def start(self, arguments: Sequence[str] | None = None) -> Run:
        """Read the command line (`arguments` in place of the program's own), and mark the code that runs from here."""
        options = self.parse_args(arguments)
        given = [(action, getattr(options, action.dest)) for action in self._trials]
        trials = [_words(action, value) for action, value in given if value != action.default]
        return Run(
            name=self.name,
            options=options,
            command=" ".join(
                [self.prog, *(f"{flag} PATH" for flag in self._places), *(word for words in trials for word in words)]
            ),
            trial="-".join("-".join(words).lstrip("-") for words in trials),
            code=self.code,
            commit=results.commit(),
            code_mark=self.code.mark(),
        )


def _words(action: argparse.Action, value: Any) -> list[str]:
    """Return what a person types to give an option its value; of a switch nothing follows the option."""
    values = [] if value is True else value if isinstance(value, list) else [value]
    return [action.option_strings[0], *(str(action.metavar or part) for part in values)]


def positive_int(text: str) -> int:
    """A number of the command line that is at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
