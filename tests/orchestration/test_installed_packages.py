"""ZenML records the packages of a run, whatever installed them."""

from __future__ import annotations

import logging

import pytest
from zenml.environment import Environment, get_run_environment_dict

from orchestration.installed_packages import installed_packages, tell_zenml


def test_installed_packages_name_what_runs_the_tests() -> None:
    assert f"pytest=={pytest.__version__}" in installed_packages()


def test_zenml_records_packages_without_uv_and_pip(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Environment, "get_python_packages", Environment.__dict__["get_python_packages"])  # undone
    monkeypatch.setenv("PATH", "/nowhere")
    tell_zenml()
    with caplog.at_level(logging.WARNING, logger="zenml.environment"):
        recorded = get_run_environment_dict()
    assert f"pytest=={pytest.__version__}" in recorded["python_packages"]
    assert not caplog.records
