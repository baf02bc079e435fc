"""The stack `local` in the tests' own home, for tests of what stands on ZenML; import it into a conftest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def zenml_database() -> Path:
    """ZenML's database with the stack `local` in it; returns the home."""
    from cli.main import main

    assert main(["stack", "apply", "local"]) == 0
    return Path(os.environ["DISCERN_HOME"])


@pytest.fixture
def local_stack(zenml_database: Path) -> Iterator[Path]:
    """The stack `local` is active; returns the home."""
    from zenml.client import Client

    client = Client()
    before = client.active_stack_model.id
    client.activate_stack("local")
    yield zenml_database
    client.activate_stack(before)
