from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.core.release import GOLDEN_VECTORS_FILE, Release, open_release
from edge_runtime.device.active_release import ActiveRelease
from edge_runtime.device.home import Current, Home
from edge_runtime.device.updates import pull
from tests.edge_runtime.toy_release import flip, repin
from tests.edge_runtime.toy_repository import ToyRepository


def test_it_loads_once_and_then_only_what_is_new(
    home: Path, repository: ToyRepository, toy_release: Release, newer_release: Release
) -> None:
    active = ActiveRelease(Home(home))
    assert [active.follow(), active.follow()] == [True, False]
    first = active.identifier
    assert first is not None
    assert first.release.id == toy_release.id
    Home(home).write_current(Current(toy_release.id))  # as a repair does: the same release again
    assert not active.follow()
    assert active.identifier is first
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    assert active.follow()
    assert active.identifier is not None
    assert active.identifier.release.id == newer_release.id


def test_a_repair_is_noticed(home: Path, repository: ToyRepository, toy_release: Release) -> None:
    flip(Home(home).folder(toy_release.id) / GOLDEN_VECTORS_FILE)
    active = ActiveRelease(Home(home))
    assert not active.follow()
    assert "golden.npy was altered" in active.problem
    pull(repository.url, home)
    assert active.follow()
    assert active.problem == ""


def test_a_release_that_answers_otherwise_here_is_not_used(release: Release) -> None:
    """Another library version on the device may change answers without changing a byte of the release."""
    path = release.folder / GOLDEN_VECTORS_FILE
    np.save(path, -np.load(path))
    active = ActiveRelease(open_release(release.folder, repin(release.folder)))
    assert not active.follow()
    assert active.identifier is None
    assert "gives other answers than it was built with" in active.problem


@pytest.mark.parametrize("damaged", [False, True])
def test_nothing_to_load_says_what_to_do(tmp_path: Path, damaged: bool) -> None:
    if damaged:
        tmp_path.joinpath("current").write_bytes(b"damaged")
    active = ActiveRelease(Home(tmp_path))
    assert not active.follow()
    assert "pull" in active.problem
