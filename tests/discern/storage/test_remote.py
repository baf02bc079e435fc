from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from discern.storage.remote import open_place, write_file


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
