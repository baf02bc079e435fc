from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from discern.errors import PublicationError
from discern.publication.storage import Storage


@pytest.fixture(params=["folder", "bucket"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_endpoint: str
) -> Callable[[], Storage]:
    """Makes storages over the same place, as several publishers would have them."""
    if request.param == "folder":
        return lambda: Storage(str(tmp_path / "place"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.session.Session().client("s3").create_bucket(Bucket="storage-tests")
    return lambda: Storage(f"s3://storage-tests/{tmp_path.name}")


def test_files_come_back(storage: Callable[[], Storage]) -> None:
    place = storage()
    assert place.read("a/b") is None
    assert place.size("a/b") is None
    place.replace("a/b", b"one")
    place.replace("a/b", b"three")
    assert place.read("a/b") == b"three"
    assert place.size("a/b") == 5
    assert 0 <= place.age("a/b") + 2 < 60
    place.delete("a/b")
    assert storage().read("a/b") is None


def test_another_writers_change_is_seen(storage: Callable[[], Storage]) -> None:
    here, there = storage(), storage()
    assert here.read("x") is None
    there.replace("x", b"new")
    assert here.read("x") == b"new"


def test_of_many_that_create_one_wins(storage: Callable[[], Storage]) -> None:
    def create(number: int) -> bool:
        return storage().create("metadata/7.json", str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(8)))
    assert won.count(True) == 1
    assert storage().read("metadata/7.json") == str(won.index(True)).encode()


def test_a_place_that_is_none_is_named() -> None:
    with pytest.raises(PublicationError, match="nonsense://x cannot be opened"):
        Storage("nonsense://x")


def test_a_folder_keeps_nothing_temporary(tmp_path: Path) -> None:
    place = Storage(str(tmp_path))
    place.create("a", b"1")
    assert not place.create("a", b"2")
    place.replace("b", b"3")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
