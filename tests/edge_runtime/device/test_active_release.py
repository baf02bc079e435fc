from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import GOLDEN_VECTORS_FILE, Release, open_release
from edge_runtime.device.active_release import LiveRelease
from edge_runtime.device.home import Current, Home
from edge_runtime.device.updates import pull
from tests.edge_runtime.toy_release import flip, repin


def test_it_loads_once_and_then_only_what_is_new(
    home: Path, repository: ReleaseRepository, toy_release: Release, newer_release: Release
) -> None:
    live = LiveRelease(Home(home))
    assert [live.follow(), live.follow()] == [True, False]
    first = live.identifier
    assert first is not None
    assert first.release.id == toy_release.id
    Home(home).write_current(Current(toy_release.id))  # as a repair does: the same release again
    assert not live.follow()
    assert live.identifier is first
    repository.publish(newer_release, "production")
    pull(repository.url, home)
    assert live.follow()
    assert live.identifier is not None
    assert live.identifier.release.id == newer_release.id


def test_a_repair_is_noticed(home: Path, repository: ReleaseRepository, toy_release: Release) -> None:
    flip(Home(home).folder(toy_release.id) / GOLDEN_VECTORS_FILE)
    live = LiveRelease(Home(home))
    assert not live.follow()
    assert "golden.npy was altered" in live.problem
    pull(repository.url, home)
    assert live.follow()
    assert live.problem == ""


def test_a_release_that_answers_otherwise_here_is_not_used(release: Release) -> None:
    """Another library version on the device may change answers without changing a byte of the release."""
    path = release.folder / GOLDEN_VECTORS_FILE
    np.save(path, -np.load(path))
    live = LiveRelease(open_release(release.folder, repin(release.folder)))
    assert not live.follow()
    assert live.identifier is None
    assert "gives other answers than it was built with" in live.problem


@pytest.mark.parametrize("there", [False, True])
def test_nothing_to_load_says_what_to_do(tmp_path: Path, there: bool) -> None:
    if there:
        tmp_path.joinpath("current").write_bytes(b"damaged")
    live = LiveRelease(Home(tmp_path))
    assert not live.follow()
    assert "pull" in live.problem
