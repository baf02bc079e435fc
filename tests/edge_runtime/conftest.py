"""Fixtures of the device's tests: releases, built once, and what a test may spoil: copies, a repository, a home."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.core.identify import Identifier
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.core.release import Release, open_release
from edge_runtime.device.updates import pull
from tests.edge_runtime.toy_release import COLOURS, RULE, build_toy
from tests.edge_runtime.toy_repository import ToyRepository


@pytest.fixture(scope="session")
def toy_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of coloured squares; not to be changed."""
    return build_toy(tmp_path_factory.mktemp("releases") / "toy")


@pytest.fixture(scope="session")
def newer_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The same model with one more class: only the gallery changed; not to be changed."""
    colours = {**COLOURS, "orange": (250, 140, 20)}
    return build_toy(tmp_path_factory.mktemp("releases") / "newer", colours=colours, name="squares and orange")


@pytest.fixture(scope="session")
def strict_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The same release with a margin that no two classes reach, and a limit of light; not to be changed."""
    folder = tmp_path_factory.mktemp("releases") / "strict"
    return build_toy(folder, rule=replace(RULE, margin=1.9), photo_limits=PhotoLimits(least_brightness=0.2))


@pytest.fixture
def release(toy_release: Release, tmp_path: Path) -> Release:
    """A copy of the release that a test may spoil."""
    shutil.copytree(toy_release.folder, tmp_path / "release")
    return open_release(tmp_path / "release", toy_release.id)


@pytest.fixture(scope="session")
def identifier(toy_release: Release) -> Identifier:
    return Identifier(toy_release)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, toy_release: Release) -> ToyRepository:
    """A repository whose production channel names the release; not to be changed."""
    repository = ToyRepository.create(tmp_path_factory.mktemp("published") / "publisher")
    repository.publish(toy_release, "production")
    return repository


@pytest.fixture
def repository(published: ToyRepository, tmp_path: Path) -> ToyRepository:
    """A copy of the repository that a test may spoil."""
    return published.copy(tmp_path / "published")


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory, published: ToyRepository) -> Path:
    """The home of a device that pulled the release; not to be changed."""
    home = tmp_path_factory.mktemp("pulled") / "home"
    pull(published.url, home, trusted_root=published.root)
    return home


@pytest.fixture
def home(pulled: Path, tmp_path: Path) -> Path:
    """A copy of that home that a test may spoil."""
    shutil.copytree(pulled, tmp_path / "home", symlinks=True)
    return tmp_path / "home"
