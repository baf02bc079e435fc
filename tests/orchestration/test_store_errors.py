"""A store that cannot be used is told before a run, and one that fails within a run is told in a sentence."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from discern.errors import ConfigError, DataError
from orchestration.store_errors import check_store, sentence
from tests.proxies import Proxy

REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The artifact store of the active stack."""
    store = SimpleNamespace(path="")
    monkeypatch.setattr("zenml.client.Client.active_stack", SimpleNamespace(name="a-stack", artifact_store=store))
    return store


def test_a_bucket_is_tried_before_a_run(
    store: SimpleNamespace, s3_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.path = "s3://of-this-test/zenml"
    with pytest.raises(ConfigError, match="run `discern stack apply a-stack --create-bucket`"):
        check_store()
    boto3.client("s3").create_bucket(Bucket="of-this-test")
    check_store()
    with Proxy(s3_environment) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.refuse(403, "AccessDenied", path="of-this-test/zenml/")
        with pytest.raises(ConfigError, match=r"s3://of-this-test/zenml at .* gives no right to write"):
            check_store()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="cannot be connected to: start the server, or correct AWS_ENDPOINT_URL"):
        check_store()


def test_a_folder_is_tried_before_a_run(store: SimpleNamespace, tmp_path: Path) -> None:
    store.path = str(tmp_path / "zenml")
    check_store()  # ZenML makes it
    (tmp_path / "zenml").mkdir()
    check_store()
    assert list((tmp_path / "zenml").iterdir()) == []
    store.path = str(tmp_path / "file")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file where a folder must be"):
        check_store()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (REFUSED, "for these credentials may not do this there (An error occurred (AccessDenied)"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9/b"), "for nobody answers there (Could not connect"),
        (OSError(errno.ENOSPC, "No space left on device", "/a"), "for no space is left"),
        (DataError("the photo is damaged."), "the photo is damaged."),
    ],
)
def test_an_error_that_ended_a_run_has_a_sentence(error: Exception, told: str) -> None:
    assert told in str(sentence(error))


def test_so_has_one_that_a_filesystem_handed_on() -> None:
    handed_on = PermissionError("no")
    handed_on.__cause__ = REFUSED
    assert "get the rights, or use other credentials" in str(sentence(handed_on))


@pytest.mark.parametrize("error", [ValueError("a bug"), FileNotFoundError(errno.ENOENT, "No such file", "a.txt")])
def test_an_error_of_the_code_has_none(error: Exception) -> None:
    assert sentence(error) is None
