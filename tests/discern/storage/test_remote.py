from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from discern.storage.remote import Storage, open_place, write_file


@pytest.fixture
def bucket(s3_environment: str, tmp_path: Path) -> str:
    """An empty prefix of a bucket."""
    boto3.client("s3").create_bucket(Bucket="files-tests")
    return f"s3://files-tests/{tmp_path.name}"


def read(url: str) -> bytes:
    filesystem, path = open_place(url)
    data: bytes = filesystem.cat_file(path)
    return data


def test_a_file_and_the_folders_above_it_are_made(tmp_path: Path) -> None:
    write_file(f"{tmp_path}/a/b/file", b"content")
    assert (tmp_path / "a/b/file").read_bytes() == b"content"
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["file"]


def test_an_address_of_a_local_file_is_one(tmp_path: Path) -> None:
    write_file(f"file://{tmp_path}/file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_file_is_replaced_not_written_over(tmp_path: Path) -> None:
    """A reader that has the old file open goes on reading the old content."""
    write_file(f"{tmp_path}/file", b"old content")
    with (tmp_path / "file").open("rb") as file:
        write_file(f"{tmp_path}/file", b"new")
        assert file.read() == b"old content"
    assert read(f"{tmp_path}/file") == b"new"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "kept").write_bytes(b"kept")
    with pytest.raises(OSError, match="folder"):
        write_file(str(folder), b"content")
    with pytest.raises(OSError, match="kept"):
        write_file(str(folder / "kept/below"), b"content")
    assert (folder / "kept").read_bytes() == b"kept"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert [path.name for path in folder.iterdir()] == ["kept"]


def test_a_bucket_takes_a_file_and_gives_it_back(bucket: str) -> None:
    write_file(f"{bucket}/a/file", b"content")
    assert read(f"{bucket}/a/file") == b"content"
    write_file(f"{bucket}/a/file", b"new")
    assert read(f"{bucket}/a/file") == b"new"


def test_what_others_write_to_a_bucket_is_seen_at_once(bucket: str, tmp_path: Path) -> None:
    filesystem, path = open_place(f"{bucket}/file")
    assert not filesystem.exists(path)
    assert filesystem.find(path.rpartition("/")[0]) == []
    boto3.client("s3").put_object(Bucket="files-tests", Key=f"{tmp_path.name}/file", Body=b"theirs")
    filesystem, path = open_place(f"{bucket}/file")
    assert filesystem.exists(path)
    assert filesystem.find(path.rpartition("/")[0]) == [path]


def test_a_bucket_that_is_not_there_is_an_error(bucket: str) -> None:
    with pytest.raises(OSError, match="bucket"):
        write_file("s3://no-such-bucket/file", b"content")


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Storage]:
    """Makes storages over the same files, as several publishers would have them."""
    url = str(tmp_path / "files") if request.param == "folder" else str(request.getfixturevalue("bucket"))
    return lambda: Storage(url)


def test_files_of_a_storage_come_back(storage: Callable[[], Storage]) -> None:
    files = storage()
    assert files.read("a/b") is None
    assert files.size("a/b") is None
    files.replace("a/b", b"first")
    files.replace("a/b", b"second")
    assert files.read("a/b") == b"second"
    assert files.size("a/b") == 6
    assert 0 <= files.age("a/b") + 2 < 60
    files.delete("a/b")
    assert storage().read("a/b") is None


def test_a_storage_sees_another_writers_change(storage: Callable[[], Storage]) -> None:
    reader, writer = storage(), storage()
    assert reader.read("x") is None
    writer.replace("x", b"new")
    assert reader.read("x") == b"new"


def test_of_many_that_create_a_file_one_wins(storage: Callable[[], Storage]) -> None:
    def create(number: int) -> bool:
        return storage().create("metadata/7.json", str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(8)))
    assert won.count(True) == 1
    assert storage().read("metadata/7.json") == str(won.index(True)).encode()


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(OSError, match=r"nonsense://x cannot be opened .*: name a folder or an s3:// address"):
        Storage("nonsense://x")


def test_a_folder_of_a_storage_holds_nothing_temporary(tmp_path: Path) -> None:
    files = Storage(str(tmp_path))
    files.create("a", b"1")
    assert not files.create("a", b"2")
    files.replace("b", b"3")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


def test_what_a_killed_creator_left_is_swept_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".partial-killed").write_bytes(b"half")
    assert Storage(str(tmp_path)).create("a", b"1")
    assert {path.name for path in tmp_path.iterdir()} == {"a"}
