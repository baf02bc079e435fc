"""The bucket of a stack."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from discern.errors import ConfigError
from stacks.buckets import prepare
from stacks.spec import read_spec
from tests.proxies import Proxy


def test_without_a_bucket_nothing_is_needed(tmp_path: Path) -> None:
    prepare(read_spec("local", {"DISCERN_HOME": str(tmp_path)}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("s3_environment")
def test_a_missing_bucket_is_an_error_or_made(tmp_path: Path) -> None:
    spec = read_spec("local-s3", {"DISCERN_HOME": str(tmp_path), "DISCERN_BUCKET": "stacks-bucket"})
    with pytest.raises(ConfigError, match=r"stacks-bucket.*--create-bucket"):
        prepare(spec)
    prepare(spec, create_bucket=True)
    prepare(spec)
    assert "stacks-bucket" in {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}


def test_a_bucket_that_refuses_every_write_is_an_error(
    tmp_path: Path, s3_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = read_spec("local-s3", {"DISCERN_HOME": str(tmp_path), "DISCERN_BUCKET": "read-only-bucket"})
    prepare(spec, create_bucket=True)
    with Proxy(s3_environment) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.refuse(403, "AccessDenied", path="read-only-bucket/zenml/")
        with pytest.raises(ConfigError, match="gives no right to write: give these credentials s3:PutObject"):
            prepare(spec)
