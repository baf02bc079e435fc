"""Checks of a device's home that several tests make."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.core.release import Release
from edge_runtime.device.home import Home


def assert_untouched(home: Path, release: Release) -> None:
    """The device answers as before, and nothing half-written lies where it looks."""
    device = Home(home)
    current = device.read_current()
    assert current is not None
    assert current.release == release.id
    assert device.open_current().id == release.id
    assert [folder.name for folder in device.releases.iterdir()] == [release.id]
