"""Fixtures of the library's tests: a toy dataset version, and a model trained on it, each made once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.edge_runtime.toy_release import COLOURS, build_toy

# These take seconds to import: a fixture that needs one imports it, for tests that need none are to start soon.
if TYPE_CHECKING:
    from discern.datasets.manifest import DatasetVersion
    from discern.evaluation.metrics import Metrics
    from discern.learning.models import TorchEmbedder
    from discern.publication.repository import ReleaseRepository
    from discern.releases.comparison import ReleaseComparison
    from edge_runtime.core.release import Release
    from tests.proxies import Proxy


@pytest.fixture(scope="session")
def toy_version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    """Discs of several classes; not to be changed."""
    from discern.datasets.ingest.write_version import write_version
    from tests.discern import toy

    version, rejected = write_version(toy.photos(), str(tmp_path_factory.mktemp("shards")), source="toy")
    assert not rejected
    return version


@pytest.fixture(scope="session")
def toy_model(toy_version: DatasetVersion) -> TorchEmbedder:
    """A model that learned the toy's training classes; not to be changed."""
    from tests.discern.trained_toy import trained

    return trained(toy_version)


@pytest.fixture(scope="session")
def candidate(toy_version: DatasetVersion) -> tuple[Release, Metrics]:
    """A release candidate of the toy model with its figures; not to be changed."""
    from tests.discern.built_candidates import built_candidate

    return built_candidate(toy_version)


@pytest.fixture(scope="session")
def production(toy_version: DatasetVersion) -> Release:
    """Another release over the same classes; not to be changed."""
    from tests.discern.built_candidates import built_production

    return built_production(toy_version)


@pytest.fixture(scope="session")
def comparison(
    candidate: tuple[Release, Metrics], production: Release, toy_version: DatasetVersion
) -> ReleaseComparison:
    """The candidate against production."""
    from discern.evaluation.gates import GateConfig
    from discern.releases.comparison import compare_releases

    return compare_releases(candidate[0], production, toy_version, GateConfig(least_classes=2, least_queries=2))


@pytest.fixture
def shard_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of remote shards."""
    folder = tmp_path / "shard-cache"
    monkeypatch.setenv("DISCERN_CACHE", str(folder))
    return folder


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, shard_cache: Path) -> str:
    """The s3:// address of a new bucket."""
    import boto3

    settings = {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    name = f"data-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return f"s3://{name}"


@pytest.fixture
def proxy(bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What the S3 clients of this test and its children go through from here on."""
    from s3fs import S3FileSystem

    from tests.proxies import Proxy

    with Proxy(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        S3FileSystem.clear_instance_cache()
        yield proxy
    S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def toy_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of coloured squares; not to be changed."""
    return build_toy(tmp_path_factory.mktemp("releases") / "toy")


@pytest.fixture(scope="session")
def newer_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The same model with one more class; not to be changed."""
    colours = {**COLOURS, "orange": (250, 140, 20)}
    return build_toy(tmp_path_factory.mktemp("releases") / "newer", colours=colours)


@pytest.fixture
def repository(tmp_path: Path) -> ReleaseRepository:
    """A new repository in a folder."""
    from discern.publication.repository import ReleaseRepository

    repository = ReleaseRepository(str(tmp_path / "repository"), tmp_path / "keys")
    repository.initialise()
    return repository
