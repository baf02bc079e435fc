"""Applying a stack is idempotent, and a later process finds what it left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prepared import REPOSITORY, copy_zenml_config


def apply(home: Path, *names: str) -> list[str]:
    environment = {**os.environ, "DISCERN_HOME": str(home)}
    for name in [name for name in environment if name.startswith("ZENML_")]:
        del environment[name]
    script = f'source .envrc\nexec "{sys.executable}" -c "{PROGRAM}" {" ".join(names)}'
    child = subprocess.run(
        ["bash", "-c", script], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    return [line for line in child.stdout.splitlines() if line.startswith(("stack ", "active "))]


PROGRAM = """
import sys
from cli.main import main
assert main(['stack', 'apply', *sys.argv[1:]]) == 0
from zenml.client import Client
print('active', Client().active_stack_model.name)
"""


pytestmark = [pytest.mark.slow, pytest.mark.zenml]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that no stack was applied to."""
    home = tmp_path_factory.mktemp("stacks")
    copy_zenml_config(home / "config")
    return home


def test_the_first_time_creates_and_activates(home: Path) -> None:
    assert apply(home, "local") == ["stack local: created", "active local"]


def test_the_second_time_changes_nothing_and_another_process_agrees(home: Path) -> None:
    assert apply(home, "local") == ["stack local: unchanged", "active local"]
    assert (home / ".zen" / "config.yaml").is_file()
