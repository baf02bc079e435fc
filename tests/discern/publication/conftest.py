"""A device that pulls without its self-test in a child process, which is tested elsewhere and takes most of a pull."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from discern.publication.repository import ReleaseRepository
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull

Pull = Callable[..., str]


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
