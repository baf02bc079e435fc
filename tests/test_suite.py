"""How the suite is run: who shares a worker, what a test costs, and that nothing starts after the deadline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.prepared import REPOSITORY
from tests.suite import shared_worker

TESTS = """
import time
import pytest

@pytest.fixture
def labelbox():
    pass

def test_busy():
    end = time.process_time() + 1.2
    while time.process_time() < end:
        pass

def test_of_a_server(labelbox):
    pass
"""


def run(folder: Path, *options: str) -> str:
    (folder / "test_some.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = network: talks to a server\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.suite",
        "-p",
        "no:cacheprovider",
        *options,
        str(folder),
    ]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/e2e/test_loop.py::test_a", "tests/e2e/"),
        ("tests/e2e/test_versions.py::test_b[x::y]", "tests/e2e/"),
        ("tests/cli/test_label.py::test_a[x::y]", "tests/cli/test_label.py"),
    ],
)
def test_one_worker_runs_a_file_or_a_folder_that_shares_what_is_dear(test: str, group: str) -> None:
    assert shared_worker(test) == group


@pytest.mark.slow
def test_the_dearest_tests_are_named_and_those_that_lack_a_mark(tmp_path: Path) -> None:
    output = run(tmp_path, "--cpu-times", "1")
    assert "in 2 tests" in output
    costs, _, unmarked = output.partition("and not marked slow")
    assert "test_busy" in costs
    assert "test_of_a_server" not in costs
    assert "test_busy" in unmarked


@pytest.mark.slow
def test_no_test_starts_after_the_deadline_and_it_says_how_many(tmp_path: Path) -> None:
    output = run(tmp_path, "--stop-after", "0.6")
    assert "1 tests of 1 files were not started" in output
    assert "1 passed" in output


@pytest.mark.slow
def test_a_fixture_marks_the_tests_that_use_it(tmp_path: Path) -> None:
    output = run(tmp_path, "-m", "network")
    assert "1 passed, 1 deselected" in output
