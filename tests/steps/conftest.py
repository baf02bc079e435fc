"""The local stack of these tests, and a toy release."""

from __future__ import annotations

import pytest

from edge_runtime.core.release import Release
from tests.discern.conftest import newer_release
from tests.edge_runtime.toy_release import build_toy
from tests.stack import local_stack, zenml_database

__all__ = ["local_stack", "newer_release", "zenml_database"]


@pytest.fixture(scope="session")
def toy_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of coloured squares; not to be changed."""
    return build_toy(tmp_path_factory.mktemp("releases") / "toy")
