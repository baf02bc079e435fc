"""The toy release of the device's tests, shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from tests.edge_runtime.toy_release import COLOURS, build_toy


@pytest.fixture(scope="session")
def toy_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of coloured squares; not to be changed."""
    return build_toy(tmp_path_factory.mktemp("releases") / "toy")


@pytest.fixture(scope="session")
def newer_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The same model with one more class; not to be changed."""
    colours = {**COLOURS, "orange": (250, 140, 20)}
    return build_toy(tmp_path_factory.mktemp("releases") / "newer", colours=colours, name="squares and orange")


@pytest.fixture
def repository(tmp_path: Path) -> ReleaseRepository:
    """A new repository in a folder."""
    repository = ReleaseRepository(str(tmp_path / "repository"), tmp_path / "keys")
    repository.initialise()
    return repository
