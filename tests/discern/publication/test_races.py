"""Publishers at once on one repository; `benchmarks.publish_race` counts many more races."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from s3fs import S3FileSystem

from discern.publication.decisions import Person
from discern.publication.repair import repair
from discern.publication.repository import ReleaseRepository
from discern.publication.rotation import rotate
from edge_runtime.core.release import Release
from tests import swift_server
from tests.discern.publication.conftest import Pull
from tests.discern.publication.races import races

Open = Callable[[str], ReleaseRepository]


@pytest.fixture
def in_a_bucket(tmp_path: Path) -> Open:
    """Opens a new repository in a bucket of this name."""

    def opened(bucket: str) -> ReleaseRepository:
        boto3.session.Session().client("s3").create_bucket(Bucket=bucket)
        repository = ReleaseRepository(f"s3://{bucket}/releases", tmp_path / "keys")
        repository.initialise()
        return repository

    return opened


@pytest.fixture
def swift(swift_endpoint: str, monkeypatch: pytest.MonkeyPatch, in_a_bucket: Open) -> Iterator[ReleaseRepository]:
    """A new repository on Swift."""
    # s3fs keeps one client for all addresses: that of another server, where a test before this one had one.
    S3FileSystem.clear_instance_cache()
    for name, value in {**swift_server.CREDENTIALS, "AWS_ENDPOINT_URL": swift_endpoint}.items():
        monkeypatch.setenv(name, value)
    yield in_a_bucket(f"swift-{uuid.uuid4().hex[:12]}")
    S3FileSystem.clear_instance_cache()


def check(repository: ReleaseRepository, releases: tuple[Release, Release], count: int, publishers: int = 3) -> None:
    found = list(races(repository, releases, count, publishers))
    assert found == [None] * count
    assert repair(repository.store) == []


@pytest.mark.slow
@pytest.mark.usefixtures("quick_pull")
def test_races_in_a_folder(repository: ReleaseRepository, toy_release: Release, newer_release: Release) -> None:
    check(repository, (toy_release, newer_release), 5)


@pytest.mark.long
@pytest.mark.usefixtures("quick_pull", "s3_environment")
def test_races_on_a_server_that_compares(in_a_bucket: Open, toy_release: Release, newer_release: Release) -> None:
    check(in_a_bucket(f"moto-{uuid.uuid4().hex[:12]}"), (toy_release, newer_release), 10)


@pytest.mark.long
@pytest.mark.usefixtures("quick_pull")
def test_races_on_swift(swift: ReleaseRepository, toy_release: Release, newer_release: Release) -> None:
    check(swift, (toy_release, newer_release), 10)


@pytest.mark.long
def test_a_repository_on_swift(
    swift: ReleaseRepository, toy_release: Release, newer_release: Release, quick_pull: Pull
) -> None:
    swift.publish(toy_release, "production")
    assert quick_pull(swift) == toy_release.id
    swift.publish(newer_release, "production", expected=toy_release.id)
    rotate(swift.store, "targets", Person("Ada", "a test"))
    assert quick_pull(swift) == newer_release.id
    swift.rollback("production", toy_release.id, "Ada", "a test")
    assert quick_pull(swift) == quick_pull(swift, "new") == toy_release.id
    swift.store.files.delete("metadata/timestamp.json")
    assert repair(swift.store)
    assert quick_pull(swift) == toy_release.id
