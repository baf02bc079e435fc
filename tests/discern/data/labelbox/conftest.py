"""A Labelbox of the tests' own, with its key and address in the environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from discern.data.sources.labelbox import images, live
from tests.discern.data.labelbox.server import KEY, FakeLabelbox


@pytest.fixture
def labelbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """The server; what waits in earnest waits a hundredth of it here."""
    from discern.data.sources.labelbox import sdk

    monkeypatch.setattr(sdk, "LIMIT_WAITS", (0.01, 0.01))
    monkeypatch.setattr(sdk, "BREAK_WAITS", ())
    monkeypatch.setattr(images, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(live, "FIRST_LOOK", 0.01)
    with FakeLabelbox() as server:
        monkeypatch.setenv("LABELBOX_API_KEY", KEY)
        monkeypatch.setenv("LABELBOX_URL", server.url)
        yield server
