"""Fixtures of every room, and a home of the tests' own."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import swift_server
from tests.prepared import REPOSITORY, copy_zenml_config

pytest_plugins = ["tests.suite"]

# ZenML reads these when it is imported: without them a test run would change the stack that a person works with.
HOME = Path(tempfile.mkdtemp(prefix="discern-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for name in [name for name in os.environ if name.startswith(("ZENML_STORE_", "ZENML_ACTIVE_", "AWS_"))]:
    del os.environ[name]
# Two threads a process on two cores, with two processes, wait for each other most of the time (measured: twentyfold),
# and with one the sums of torch have one order.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.update(
    DISCERN_HOME=str(HOME),
    DISCERN_CACHE=str(HOME / "cache"),
    DISCERN_EDGE_HOME=str(HOME / "device"),
    ZENML_CONFIG_PATH=str(HOME / "config"),
    ZENML_LOCAL_STORES_PATH=str(HOME / "config" / "local_stores"),
    ZENML_REPOSITORY_PATH=str(HOME),
    ZENML_CUSTOM_SOURCE_ROOT=str(REPOSITORY),
    ZENML_ANALYTICS_OPT_IN="false",
    ZENML_LOGGING_VERBOSITY="WARN",
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="1",
    DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    GIT_PYTHON_REFRESH="quiet",
)


def _has_zenml() -> bool:
    """Return False also where the device's tests make ZenML unreachable (`tests.edge_runtime.no_discern`)."""
    try:
        return importlib.util.find_spec("zenml") is not None
    except ModuleNotFoundError:
        return False


if _has_zenml():
    copy_zenml_config(HOME / "config")


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of an S3 server on loopback, which forgets everything at the end."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def swift_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of Swift with its S3 API, for long tests: it checks signatures, and knows no condition on a write."""
    installed = swift_server.environment()
    if installed is None:
        pytest.fail("Swift is not installed: `make test-long` puts it into .tools/swift; DISCERN_SWIFT names another.")
    with swift_server.swift_server(installed, tmp_path_factory.mktemp("swift")) as endpoint:
        yield endpoint


@pytest.fixture
def s3_environment(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every S3 client of this test and its children talks to that server; returns its URL."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return s3_endpoint
