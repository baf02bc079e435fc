"""More releases, and a device without its self-test in a child, which is tested elsewhere and most of a pull."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull
from tests.edge_runtime.toy_release import COLOURS, build_toy

Pull = Callable[..., str]


@pytest.fixture(scope="session")
def third(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A third release of the use case of the two; not to be changed."""
    return build_toy(tmp_path_factory.mktemp("releases") / "third", colours={**COLOURS, "orange": (230, 130, 20)})


@pytest.fixture(scope="session")
def groceries(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of another use case; not to be changed."""
    return build_toy(tmp_path_factory.mktemp("releases") / "groceries", name="groceries")


@pytest.fixture
def quick_pull(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pull:
    """Pull into a home of this name, with the root where it is new; returns the release, which is whole."""
    monkeypatch.setattr("edge_runtime.device.updates.run_selftest", lambda _folder, _release: None)

    def pulled(
        repository: ReleaseRepository, home: str = "home", channel: str = "production", root: Path | None = None
    ) -> str:
        folder = tmp_path / "homes" / home
        given = root or (None if Home(folder).anchor.exists() else Path(repository.root))
        release = pull(repository.url, folder, channel, trusted_root=given).release
        assert Home(folder).open_current().id == release
        return release

    return pulled
