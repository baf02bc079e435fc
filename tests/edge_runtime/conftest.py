"""Fixtures of the device's tests: one release, built once, and copies of it that a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_runtime.identify import Identifier
from edge_runtime.release import Release, open_release
from tests.edge_runtime.toy_release import build_toy


@pytest.fixture(scope="session")
def toy_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of coloured squares; not to be changed."""
    return build_toy(tmp_path_factory.mktemp("releases") / "toy")


@pytest.fixture
def release(toy_release: Release, tmp_path: Path) -> Release:
    """A copy of it that a test may spoil."""
    shutil.copytree(toy_release.folder, tmp_path / "release")
    return open_release(tmp_path / "release", toy_release.id)


@pytest.fixture(scope="session")
def identifier(toy_release: Release) -> Identifier:
    return Identifier(toy_release)
