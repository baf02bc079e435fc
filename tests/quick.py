"""`python -m tests.quick`: run the tests nearest to what was changed since the last commit, for 20 seconds at most.

A test file is chosen when it was changed itself, when its path mirrors a changed module's, when it imports a changed
module, directly or through others, or when its text names a changed file that is no module. What comes first:

1. the test file that was changed;
2. the test of the changed module: `tests/discern/datasets/test_diff.py` of `discern/datasets/diff.py`;
3. tests of the same room;
4. tests that name a changed module, and then all others; of each kind, those that import the fewest modules.

Of the last kind few are run, and only if time is left, for each may bring heavy libraries. Tests marked `slow` or
`long` are left out, and what a test gets from its fixtures counts for nothing here: `make test` runs everything.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from discern.source_code import imported_modules
from tests.prepared import REPOSITORY

SECONDS = 20.0
LEFT_FOR_THE_END = 1.5  # seconds: the test that runs at the deadline ends, and fixtures are torn down
START_UP = 8.0  # seconds that the imports of another room's tests may take
MOST_NEAR, MOST_FAR = 8, 3  # files
NEAR = 2  # the step up to which a test is of the changed room


@dataclass(frozen=True)
class TestFile:
    """A file of tests, the files of this repository that it imports, and its text.

    Paths are relative to the repository.
    """

    __test__ = False  # pytest would take it for a class of tests

    path: Path
    imports: frozenset[Path]
    text: str


def nearest(changed: Collection[Path], tests: Iterable[TestFile]) -> list[Path]:
    """Return the test files that a change concerns, nearest first.

    Args:
        changed: paths relative to the repository.
        tests: all test files.
    """
    concerned = [test for test in tests if any(_concerns(path, test) for path in changed)]
    return [test.path for test in sorted(concerned, key=lambda test: _distance(changed, test))]


def first_and_then(changed: Collection[Path], ordered: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the tests of the changed room that a quick run starts with, and those of others that may follow.

    Where the changed room has no tests, those of others come first.
    """
    near = [path for path in ordered if _step(changed, path) <= NEAR][:MOST_NEAR]
    far = [path for path in ordered if _step(changed, path) > NEAR][:MOST_FAR]
    return (near, far) if near else (far, [])


def _concerns(path: Path, test: TestFile) -> bool:
    if path in (test.path, _mirror(test.path)) or path in test.imports:
        return True
    if path.name == "conftest.py":
        return path.parent in test.path.parents
    if path.suffix == ".py":
        return False
    return path.name in test.text or f'"{path.parts[0]}"' in test.text


def _distance(changed: Collection[Path], test: TestFile) -> tuple[int, bool, int, str]:
    """Return what sorts the nearest first: its step, whether it names no changed module, how much it imports."""
    names_one = any(_module(path) in test.text for path in changed)
    return _step(changed, test.path), not names_one, len(test.imports), str(test.path)


def _step(changed: Collection[Path], test: Path) -> int:
    """Return the step of the module's docstring, from 0."""
    if test in changed:
        return 0
    if _mirror(test) in changed:
        return 1
    if any(path.parent == _mirror(test).parent for path in changed):
        return NEAR
    return NEAR + 1


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def _mirror(test: Path) -> Path:
    """Return the module that a test file is named after: `discern/x.py` of `tests/discern/test_x.py`."""
    return Path(*test.parts[1:-1], test.name.removeprefix("test_"))


def changed_since(revision: str) -> set[Path]:
    """Return the paths that differ from a commit, and those that git does not know yet and does not ignore."""
    differing = _git("diff", "--name-only", revision)
    new = _git("ls-files", "--others", "--exclude-standard")
    return {Path(line) for line in differing + new}


def read_tests(root: Path) -> list[TestFile]:
    """Return every test file below `root`/tests."""
    files: list[TestFile] = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        relative = path.relative_to(root)
        modules = imported_modules([".".join(relative.with_suffix("").parts)], root)
        imports = frozenset(module.relative_to(root) for module in modules.values())
        files.append(TestFile(relative, imports, path.read_text()))
    return files


def _git(*arguments: str) -> list[str]:
    child = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return child.stdout.splitlines()


def main(arguments: list[str] | None = None) -> int:
    """Choose, say what was chosen, and run it. Returns pytest's exit status."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m tests.quick", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--since", default="HEAD", metavar="COMMIT", help="what counts as changed (default: HEAD)")
    parser.add_argument("--list", action="store_true", help="name the test files, and run none")
    options = parser.parse_args(arguments)
    changed = changed_since(options.since)
    chosen = nearest(changed, read_tests(REPOSITORY)) if changed else []
    if not chosen:
        reason = f"No test concerns {_names(changed)}" if changed else "Nothing was changed since the last commit"
        _say(f"{reason}: no test is run.")
        return 0
    first, then = first_and_then(changed, chosen)
    _say(f"{len(chosen)} test files concern {_names(changed)}; the nearest are run:")
    for path in first:
        _say("  ", str(path))
    if then:
        _say("and if time is left:", ", ".join(map(str, then)))
    if options.list:
        return 0
    deadline = start + SECONDS - LEFT_FOR_THE_END
    status = _run(first, deadline)
    if status == 0 and then and deadline - time.monotonic() > START_UP:
        status = _run(then, deadline)
    return status


def _run(tests: Sequence[Path], deadline: float) -> int:
    """Run tests until the deadline, in a process of their own; return pytest's exit status."""
    options = ["-q", f"--stop-after={deadline - time.monotonic():.1f}", "-m", "not long and not slow"]
    command = [sys.executable, "-m", "pytest", *options, *map(str, tests)]
    status = subprocess.run(command, cwd=REPOSITORY, check=False).returncode
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        _say("All tests of these files are slow: `make test` runs them.")
        return 0
    return status


def _names(paths: Collection[Path]) -> str:
    first = sorted(map(str, paths))[:3]
    return ", ".join(first) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
