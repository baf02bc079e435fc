"""A Labelbox of the tests' own, with its key and address in the environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from discern.sources.labelbox import images, live
from tests.discern.pictures import jpeg
from tests.discern.sources.labelbox.said import label, radio
from tests.discern.sources.labelbox.server import KEY, FakeLabelbox


@pytest.fixture
def labelbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """The server; what waits in earnest waits a hundredth of it here."""
    from discern.sources.labelbox import sdk

    # The SDK walks the stack for the name of its caller, which is deep under pytest: most of a test's time.
    monkeypatch.setattr("labelbox.pagination.call_info_as_str", lambda: "discern")
    monkeypatch.setattr(sdk, "LIMIT_WAITS", (0.01, 0.01))
    monkeypatch.setattr(sdk, "BREAK_WAITS", ())
    monkeypatch.setattr(images, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(live, "FIRST_LOOK", 0.01)
    with FakeLabelbox() as server:
        monkeypatch.setenv("LABELBOX_API_KEY", KEY)
        monkeypatch.setenv("LABELBOX_URL", server.url)
        yield server


@pytest.fixture
def reviewed(labelbox: FakeLabelbox) -> FakeLabelbox:
    """Three pictures: two that passed review, one that waits for it."""
    labelbox.add_project("p1")
    for number, (answer, status) in enumerate([("round", "DONE"), ("oval", "DONE"), ("round", "IN_REVIEW")]):
        said = label(radio("Shape", answer))
        labelbox.add_row("p1", jpeg(number), global_key=f"{number}.jpg", status=status, labels=[said])
    return labelbox
