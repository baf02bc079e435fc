"""The pages of MLflow and ZenML."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cli.dashboards import answer_form, tracking_address
from discern.errors import ConfigError
from tests.cli.calls import Caller

REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_without_an_mlflow_tracker_it_is_one_sentence() -> None:
    from zenml.client import Client

    before = Client().active_stack_model.name
    Client().activate_stack("default")
    try:
        with pytest.raises(ConfigError, match="has no MLflow tracker with an address: run `discern stack apply local`"):
            tracking_address()
    finally:
        Client().activate_stack(before)


def test_zenml_is_told_that_nobody_wants_mail() -> None:
    from zenml.client import Client

    for _ in range(2):
        answer_form(Client())
        user = Client().get_user("default")
        assert user.email_opted_in is False
        assert user.user_metadata["finished_onboarding_survey"] is True


@pytest.mark.long
def test_mlflow_shows_the_stack_s_runs(call: Caller, tmp_path: Path) -> None:
    assert call("stack", "apply", "local").status == 0
    assert tracking_address().startswith("sqlite:///")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "mlflow", "--port", str(port)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
    finally:
        _end(process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it started: it has a session of its own."""
    import os
    import signal

    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
