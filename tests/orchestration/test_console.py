"""What stays on the console of a run, and what does not."""

from __future__ import annotations

import logging

import pytest

from orchestration.console import IDLE, quieten

PIPELINES = "zenml.pipelines.pipeline_definition"


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quieten()


@pytest.mark.parametrize(("name", "beginning"), [(name, text) for name, texts in IDLE.items() for text in texts])
def test_what_nobody_acts_on_is_not_told(name: str, beginning: str, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger(name).warning("%s", "of another kind")
    logging.getLogger(name).warning(f"{beginning} and so on")
    assert caplog.messages == ["of another kind"]


@pytest.mark.parametrize(
    "message", ["Using a build:", "Dashboard URL for Pipeline Run: http://server", "Caching is disabled by default"]
)
def test_what_somebody_may_act_on_is_told(message: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger(PIPELINES).info(message)
    assert caplog.messages == [message]
