"""The toy releases and repository of the library's tests, for its commands, and a way to call these."""

from __future__ import annotations

import pytest

from tests.cli.calls import Caller
from tests.discern.conftest import newer_release, repository, toy_release
from tests.stack import local_stack, zenml_database

__all__ = ["call", "local_stack", "newer_release", "repository", "toy_release", "zenml_database"]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(capsys)
