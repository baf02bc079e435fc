"""The same pipelines on the stack whose artifacts lie in a bucket, against a real S3 API on loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from discern.errors import ConfigError
from edge_runtime.core.identify import Identifier
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull
from tests.e2e.conftest import Workplace

BUCKET = "discern-test"


@pytest.fixture
def applied(loop: Workplace, s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """ZenML knows the stack local-s3."""
    from cli.main import main

    monkeypatch.setenv("DISCERN_BUCKET", BUCKET)
    assert main(["stack", "apply", "local-s3", "--create-bucket"]) == 0
    return loop


@pytest.fixture
def on_s3(applied: Workplace) -> Iterator[Workplace]:
    """The stack local-s3 is active, set by the command that a person types."""
    from zenml.client import Client

    client = Client()
    before = client.active_stack_model.id
    zenml = Path(sys.executable).parent / "zenml"
    try:
        subprocess.run([zenml, "stack", "set", "local-s3"], check=True, capture_output=True)
        # This process has read its settings before: it is told as well.
        client.activate_stack("local-s3")
        yield applied
    finally:
        client.activate_stack(before)


def keys_in_bucket(prefix: str) -> set[str]:
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def local_files(home: Path) -> set[Path]:
    """What a pipeline could have left on this machine: ZenML's database and MLflow's are allowed."""
    folders = ("zenml", "datasets", "releases", "reports", "checkpoints")
    return {path for folder in folders for path in (home / folder).rglob("*") if path.is_file()}


@pytest.mark.long
def test_the_same_three_pipelines_run_in_the_bucket(on_s3: Workplace, tmp_path: Path) -> None:
    from zenml.client import Client

    from discern.publication.repository import ReleaseRepository

    before = local_files(on_s3.home)
    with pytest.raises(ConfigError, match="stack 'local-s3' holds no 'dataset_version'"):
        on_s3.run("training")  # the laptop's artifacts are not the bucket's
    ReleaseRepository(f"s3://{BUCKET}/releases", on_s3.home / "keys").initialise()
    for name in ("data", "training", "promotion"):
        on_s3.run(name)
    for pipeline in ("data", "training", "promotion"):
        assert_all_in_bucket(on_s3.newest_run(pipeline))
    for prefix in ("zenml/", "datasets/shards/", "releases/metadata/", "releases/targets/", "reports/"):
        assert keys_in_bucket(prefix), prefix
    assert local_files(on_s3.home) == before
    publication = on_s3.output("promotion", "publication")
    assert publication.repository == f"s3://{BUCKET}/releases"
    assert publication.channel == "production"
    pull(publication.repository, tmp_path / "device", trusted_root=on_s3.home / "keys" / "root.json")
    release = Home(tmp_path / "device").open_current()
    assert release.id == publication.release
    photo = on_s3.output("data", "dataset_version").image_bytes(0)
    assert Identifier(release).identify(photo).release == release.id
    assert Client().get_model_version("tiny", "production").name == release.id


def assert_all_in_bucket(run: Any) -> None:
    versions = [v for step in run.steps.values() for outputs in step.outputs.values() for v in outputs]
    assert versions
    assert all(version.uri.startswith(f"s3://{BUCKET}/zenml/") for version in versions)


def test_applying_twice_changes_nothing(applied: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import main

    assert main(["stack", "apply", "local", "local-s3"]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["stack local: unchanged", "stack local-s3: unchanged"]


def test_a_changed_file_updates_the_stack(
    applied: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.main import main

    monkeypatch.setenv("DISCERN_BUCKET", "discern-other")
    assert main(["stack", "apply", "local-s3", "--create-bucket"]) == 0
    assert "stack local-s3: updated" in capsys.readouterr().out
    monkeypatch.setenv("DISCERN_BUCKET", BUCKET)
    assert main(["stack", "apply", "local-s3"]) == 0


def test_a_missing_bucket_is_named(
    applied: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.main import main

    monkeypatch.setenv("DISCERN_BUCKET", "discern-missing")
    assert main(["stack", "apply", "local-s3"]) == 1
    error = capsys.readouterr().err
    assert "s3://discern-missing/zenml" in error
    assert "--create-bucket" in error
