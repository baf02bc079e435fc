from __future__ import annotations

import socket
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from discern.errors import DataError
from discern.sources.files import s3
from discern.sources.files import s3_client as buckets
from discern.sources.files.local import ZipTree
from discern.sources.files.open import open_tree
from discern.sources.files.s3 import S3Tree
from discern.sources.files.tree import READ_LIMIT
from discern.sources.registry import FolderConfig, open_source
from tests.discern.pictures import jpeg, photos
from tests.proxies import Direction, Proxy

FILES = {"a/1.jpg": b"one" * 1000, "a/2.jpg": b"", "b/x.txt": "ä".encode(), "ü b/1 %+.jpg": b"\0" * 200_000}


def put(bucket: str, files: dict[str, bytes], prefix: str = "photos/") -> str:
    """Upload files; returns the address of the prefix."""
    client = boto3.client("s3")
    for path, data in files.items():
        client.put_object(Bucket=bucket.removeprefix("s3://"), Key=prefix + path, Body=data)
    return f"{bucket}/{prefix}".rstrip("/")


def pack(path: Path, files: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "BACKOFF", 0.01)


def test_a_prefix_holds_what_a_folder_would(bucket: str) -> None:
    place = put(bucket, FILES)
    put(bucket, {"c/1.jpg": b"elsewhere"}, "photos-2/")
    tree = open_tree(f"{place}/")
    assert (tree.name, tree.location) == ("photos", place)
    assert tree.files == tuple(sorted(FILES))
    assert {path: tree.read(path) for path in tree.files} == FILES
    assert tree.read("a/1.jpg", 5) == b"oneon"


def test_a_bucket_without_a_prefix_is_a_tree(bucket: str) -> None:
    put(bucket, FILES, "")
    tree = open_tree(bucket)
    assert tree.name == bucket.removeprefix("s3://")
    assert {path: tree.read(path) for path in tree.files} == FILES


def test_photos_in_a_bucket_are_those_of_a_folder(bucket: str) -> None:
    given = list(photos(3, 2))
    source = open_source(FolderConfig(path=put(bucket, {photo.name: photo.load() for photo in given})))
    assert [(photo.name, photo.label, photo.load()) for photo in source.photos()] == [
        (photo.name, photo.label, photo.load()) for photo in given
    ]


def test_more_objects_than_a_page_are_all_listed(bucket: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "PAGE", 3)
    assert open_tree(put(bucket, FILES)).files == tuple(sorted(FILES))
    assert proxy.count("GET") == 2


def test_stamps_and_the_fingerprint_tell_of_every_change(bucket: str) -> None:
    place = put(bucket, FILES)
    before = open_tree(place)
    put(bucket, FILES)
    same = open_tree(place)
    assert same.fingerprint() == before.fingerprint()
    put(bucket, {"a/1.jpg": b"two" * 1000})
    after = open_tree(place)
    assert after.fingerprint() != before.fingerprint()
    assert {path for path in FILES if after.stamp(path) != before.stamp(path)} == {"a/1.jpg"}
    assert before.stamp("a/1.jpg").startswith("3000 ")


def test_hidden_objects_and_folder_marks_are_no_files(bucket: str) -> None:
    litter = ("", "c/", "a/.DS_Store", ".git/1.jpg", "__MACOSX/1.jpg", "a/Thumbs.db")
    place = put(bucket, FILES | dict.fromkeys(litter, b""))
    assert open_tree(place).files == tuple(sorted(FILES))


def test_a_key_that_is_no_path_below_the_prefix_is_refused(bucket: str) -> None:
    for number, key in enumerate(("a/../1.jpg", "a//1.jpg", "../1.jpg", "/1.jpg", "a\\1.jpg", "C:/1.jpg")):
        place = put(bucket, {key: b""}, f"{number}/")
        with pytest.raises(DataError, match=r"1\.jpg', a key that is no path below it .*: rename the object"):
            open_tree(place)


def test_an_object_that_changed_is_not_read(bucket: str) -> None:
    tree = open_tree(put(bucket, FILES))
    put(bucket, {"a/1.jpg": b"two" * 1000})
    with pytest.raises(DataError, match=r"photos/a/1\.jpg changed after it was listed: wait until"):
        tree.read("a/1.jpg")


def test_an_object_that_went_away_is_named(bucket: str) -> None:
    tree = open_tree(put(bucket, FILES))
    boto3.client("s3").delete_object(Bucket=bucket.removeprefix("s3://"), Key="photos/a/1.jpg")
    with pytest.raises(DataError, match=r"photos/a/1\.jpg was deleted after it was listed"):
        tree.read("a/1.jpg")


def test_no_more_than_the_limit_is_asked_for(bucket: str, proxy: Proxy) -> None:
    tree = open_tree(put(bucket, {"1.jpg": bytes(READ_LIMIT + 100_000)}))
    before = proxy.fetched()
    assert len(tree.read("1.jpg")) == READ_LIMIT
    assert proxy.fetched() - before == READ_LIMIT


def test_many_threads_read_at_once(bucket: str) -> None:
    files = {f"{number}.jpg": bytes([number]) * 10_000 for number in range(100)}
    tree = open_tree(put(bucket, files))
    with ThreadPoolExecutor(16) as pool:
        assert dict(zip(tree.files, pool.map(tree.read, tree.files), strict=True)) == files


def test_an_answer_that_breaks_off_is_asked_for_again(bucket: str, proxy: Proxy) -> None:
    tree = open_tree(put(bucket, FILES))
    proxy.cut(Direction.DOWN, after=100_000, times=2)
    assert tree.read("ü b/1 %+.jpg") == FILES["ü b/1 %+.jpg"]
    assert proxy.count("GET", "photos/") == 3


def test_an_answer_that_always_breaks_off_is_one_sentence(bucket: str, proxy: Proxy) -> None:
    tree = open_tree(put(bucket, FILES))
    proxy.cut(Direction.DOWN, after=100_000)
    with pytest.raises(
        DataError, match=r"\.jpg cannot be read \(it broke off 4 times: .*\): check the network"
    ) as caught:
        tree.read("ü b/1 %+.jpg")
    assert "\n" not in str(caught.value)
    assert proxy.count("GET", "photos/") == 4


def test_a_server_that_is_busy_is_asked_again(bucket: str, proxy: Proxy) -> None:
    place = put(bucket, FILES)
    proxy.refuse(503, "SlowDown", times=1)
    tree = open_tree(place)
    proxy.refuse(503, "SlowDown", times=1)
    assert tree.read("a/1.jpg") == FILES["a/1.jpg"]


def test_a_server_that_refuses_is_one_sentence(bucket: str, proxy: Proxy) -> None:
    tree = open_tree(put(bucket, FILES))
    for status, code, sentence in (
        (403, "AccessDenied", r"\(access is denied\): ask for the right"),
        (403, "InvalidAccessKeyId", r"\(the access key is not known there\): set AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", r"\(the access key or the secret key is wrong\): set AWS_ACCESS_KEY_ID"),
        (400, "ExpiredToken", r"\(the credentials have expired\): log in again"),
        (418, "Teapot", r"\(.*Teapot.*\): check the address and the credentials"),
    ):
        proxy.refuse(status, code)
        with pytest.raises(DataError, match=rf"/photos cannot be listed {sentence}"):
            open_tree(tree.location)
        with pytest.raises(DataError, match=rf"/photos/a/1\.jpg cannot be read {sentence}") as caught:
            tree.read("a/1.jpg")
        assert "\n" not in str(caught.value)


def test_a_bucket_that_does_not_exist_is_one_sentence(bucket: str) -> None:
    with pytest.raises(DataError, match=r"s3://nobody-made-this/x cannot be listed \(there is no such bucket\)"):
        open_tree("s3://nobody-made-this/x")
    for place in ("s3://", "s3:///x", "s3://No Bucket/x"):
        with pytest.raises(DataError, match="is no name of a bucket"):
            open_tree(place)


def test_an_empty_prefix_is_one_sentence(bucket: str) -> None:
    put(bucket, FILES)
    with pytest.raises(DataError, match="/phot holds no objects: correct the address"):
        open_tree(f"{bucket}/phot")


def test_a_machine_without_credentials_is_one_sentence(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(DataError, match=r"cannot be listed \(there are no credentials\): set AWS_ACCESS_KEY_ID"):
        open_tree(f"{bucket}/photos")


def test_settings_that_make_no_sense_are_one_sentence(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    with pytest.raises(DataError, match=r"cannot be opened \(.*not a url.*\): correct the AWS_ variables"):
        open_tree(f"{bucket}/photos")


def test_a_server_out_of_reach_is_one_sentence(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(buckets, "CONFIG", buckets.CONFIG.merge(buckets.Config(retries={"total_max_attempts": 1})))
    with pytest.raises(DataError, match=rf"\(http://127\.0\.0\.1:{port} is out of reach\): check the network"):
        open_tree(f"{bucket}/photos")


def test_an_archive_in_a_bucket_is_read_where_it_lies(
    bucket: str, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "BLOCK", 20_000)
    files = {f"{number:03d}.jpg": photo.load() * 5 for number, photo in enumerate(photos(20, 5))}
    data = pack(tmp_path / "all.zip", files)
    put(bucket, {"all.zip": data})
    tree = open_tree(f"{bucket}/photos/all.zip")
    assert isinstance(tree, ZipTree)
    assert (tree.name, tree.location) == ("all", f"{bucket}/photos/all.zip")
    assert tree.read("050.jpg") == files["050.jpg"]
    assert proxy.fetched() < len(data) / 2
    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(tree.files, pool.map(tree.read, tree.files), strict=True)) == files
    assert proxy.fetched() < len(data) * 1.1
    assert tree.fingerprint() == open_tree(str(tmp_path / "all.zip")).fingerprint()


def test_an_archive_that_changes_while_it_is_read_is_one_sentence(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "BLOCK", 1000)
    files = {photo.name: photo.load() for photo in photos(5, 5)}
    put(bucket, {"all.zip": pack(tmp_path / "all.zip", files)})
    tree = open_tree(f"{bucket}/photos/all.zip")
    put(bucket, {"all.zip": pack(tmp_path / "all.zip", files | {"c00/0.jpg": jpeg(77)})})
    with pytest.raises(DataError, match=r"all\.zip changed after it was listed"):
        tree.read("c00/0.jpg")


def test_what_is_no_archive_in_a_bucket_is_one_sentence(bucket: str) -> None:
    put(bucket, {"text.zip": b"no archive", "empty.zip": b""})
    for name in ("text", "empty"):
        with pytest.raises(DataError, match=rf"{name}\.zip is no readable zip archive"):
            open_tree(f"{bucket}/photos/{name}.zip")
    with pytest.raises(DataError, match=r"absent\.zip does not exist: correct the address"):
        open_tree(f"{bucket}/photos/absent.zip")


def test_the_address_is_what_messages_and_lineage_say(bucket: str) -> None:
    tree = S3Tree(f"{put(bucket, FILES)}/")
    assert tree.location == f"{bucket}/photos"
