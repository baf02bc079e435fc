from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import boto3
import pytest

from discern.datasets.shards import ShardStore
from discern.errors import DataError
from tests.proxies import Direction, Proxy

IMAGES = [b"one", b"", b"three" * 1000]
OTHERS = [b"four", b"five" * 1000]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def keys(bucket: str) -> list[str]:
    answer = boto3.client("s3").list_objects_v2(Bucket=bucket.removeprefix("s3://"))
    return [one["Key"] for one in answer.get("Contents", [])]


def uploaded(bucket: str, cache: Path, *contents: list[bytes]) -> list[str]:
    """Shards in a bucket that this machine has not."""
    store = ShardStore(f"{bucket}/shards")
    names = [store.write(images)[0] for images in contents]
    store.publish(names)
    for path in cache.iterdir():
        path.unlink()
    return names


def test_a_shard_is_named_by_its_content_and_reads_back(tmp_path: Path) -> None:
    store = ShardStore(str(tmp_path))
    name, new = store.write(IMAGES)
    assert new
    assert files(tmp_path) == [f"{name}.arrow"]
    assert hashlib.sha256((tmp_path / f"{name}.arrow").read_bytes()).hexdigest() == name
    assert store.images(name).to_pylist() == IMAGES


def test_a_shard_that_exists_is_never_written_again(tmp_path: Path) -> None:
    store = ShardStore(str(tmp_path))
    name, _ = store.write(IMAGES)
    before = (tmp_path / f"{name}.arrow").stat()
    assert store.write(IMAGES) == (name, False)
    after = (tmp_path / f"{name}.arrow").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(files(tmp_path)) == 1


def test_a_missing_shard_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"/abc\.arrow is missing: .* restore it"):
        ShardStore(str(tmp_path)).images("abc")


@pytest.mark.parametrize("keep", [0, 8, 200, -8])
def test_a_cut_shard_is_one_sentence(tmp_path: Path, keep: int) -> None:
    store = ShardStore(str(tmp_path))
    name, _ = store.write(IMAGES)
    path = tmp_path / f"{name}.arrow"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="is damaged"):
        store.images(name)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"no shard could be written to .*/file"):
        ShardStore(str(tmp_path / "file")).write(IMAGES)


def test_an_unknown_kind_of_place_is_one_sentence() -> None:
    with pytest.raises(DataError, match="nowhere://x is no place for shards"):
        ShardStore("nowhere://x")


def test_what_was_new_can_be_taken_back(tmp_path: Path) -> None:
    store = ShardStore(str(tmp_path))
    kept, taken = store.write(IMAGES)[0], store.write(OTHERS)[0]
    store.remove([taken])
    store.remove([taken])
    assert files(tmp_path) == [f"{kept}.arrow"]


@pytest.mark.parametrize("first", [True, False])
def test_what_two_writers_rely_on_stays(tmp_path: Path, first: bool) -> None:
    one, other = ShardStore(str(tmp_path)), ShardStore(str(tmp_path))
    name, new = one.write(IMAGES)
    assert new
    assert other.write(IMAGES) == (name, False)
    (one if first else other).remove([name])
    assert other.images(name).to_pylist() == IMAGES
    assert files(tmp_path) == [f"{name}.arrow"]


def test_of_writers_at_the_same_time_one_is_the_first(tmp_path: Path) -> None:
    """Some of them fail and take back what was new to them; nobody who goes on loses a shard."""
    for number in range(20):
        barrier = Barrier(4)

        def run(fails: bool, images: list[bytes], barrier: Barrier = barrier) -> tuple[str, bool, bool]:
            store = ShardStore(str(tmp_path))
            barrier.wait()
            name, new = store.write(images)
            if fails and new:
                store.remove([name])
            return name, new, fails

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(run, [True, False, True, False], [[b"%d" % number]] * 4))
        name = answers[0][0]
        assert (tmp_path / f"{name}.arrow").exists()
        assert any(new for _, new, _ in answers)
    assert len(files(tmp_path)) == 20


def test_where_files_have_one_name_only_shards_are_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*names: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    name, new = ShardStore(str(tmp_path)).write(IMAGES)
    assert not new  # so that nobody takes it back
    assert files(tmp_path) == [f"{name}.arrow"]


KILLED = """
import os, signal, sys
from discern.datasets.shards import ShardStore
store = ShardStore(sys.argv[1])
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
store.write([b"never to be seen"])
"""


def test_what_a_killed_writer_left_is_gone_after_the_next_write(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [name[:9] for name in files(tmp_path)] == [".partial-"]
    name, _ = ShardStore(str(tmp_path)).write(IMAGES)
    assert files(tmp_path) == [f"{name}.arrow"]


def test_a_bucket_gives_back_what_it_got(bucket: str, shard_cache: Path) -> None:
    (name,) = uploaded(bucket, shard_cache, IMAGES)
    assert keys(bucket) == [f"shards/{name}.arrow"]
    reader = ShardStore(f"{bucket}/shards")
    reader.fetch([name])
    assert files(shard_cache) == [f"{name}.arrow"]
    assert reader.images(name).to_pylist() == IMAGES


def test_nothing_reaches_a_bucket_before_it_is_published(bucket: str, shard_cache: Path) -> None:
    store = ShardStore(f"{bucket}/shards")
    kept, taken = store.write(IMAGES)[0], store.write(OTHERS)[0]
    assert keys(bucket) == []
    assert store.images(taken).to_pylist() == OTHERS
    store.remove([taken])
    assert files(shard_cache) == [f"{kept}.arrow"]
    store.publish([kept])
    store.remove([kept])
    assert keys(bucket) == [f"shards/{kept}.arrow"]


def test_what_was_uploaded_or_fetched_is_not_fetched_again(bucket: str, proxy: Proxy, shard_cache: Path) -> None:
    store = ShardStore(f"{bucket}/shards")
    name, _ = store.write(IMAGES)
    store.publish([name])
    store.publish([name])
    store.fetch([name])
    assert store.images(name).to_pylist() == IMAGES
    assert proxy.count("PUT", name) == 1
    assert proxy.count("GET", name) == 0


def test_what_is_published_must_be_here(bucket: str, shard_cache: Path) -> None:
    with pytest.raises(DataError, match=r"abc\.arrow is missing"):
        ShardStore(f"{bucket}/shards").publish(["abc"])


def test_an_altered_remote_shard_is_refused_and_not_kept(bucket: str, shard_cache: Path) -> None:
    (name,) = uploaded(bucket, shard_cache, IMAGES)
    store = ShardStore(f"{bucket}/shards")
    place = f"{store.root}/{name}.arrow"
    altered = bytearray(store.files.cat_file(place))
    altered[200] ^= 1
    store.files.pipe_file(place, bytes(altered))
    with pytest.raises(DataError, match="is not what its name says"):
        store.images(name)
    assert files(shard_cache) == []


FETCHES = """
import sys
from discern.datasets.shards import ShardStore
sys.stdin.read(1)
ShardStore(sys.argv[1]).fetch(sys.argv[2:])
"""


def test_two_processes_fetch_a_shard_once(bucket: str, proxy: Proxy, shard_cache: Path) -> None:
    names = uploaded(bucket, shard_cache, *([bytes([number]) * 300_000] for number in range(6)))
    size = sum(boto3.client("s3").head_object(Bucket=bucket[5:], Key=key)["ContentLength"] for key in keys(bucket))
    proxy.delay = 0.05
    command = [sys.executable, "-c", FETCHES, f"{bucket}/shards", *names]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        assert process.stdin
        process.stdin.write(b"x")
        process.stdin.close()
    for process in processes:
        process.wait()
    assert [process.returncode for process in processes] == [0, 0]
    assert files(shard_cache) == sorted(f"{name}.arrow" for name in names)
    assert [proxy.count("GET", f"{name}.arrow") for name in names] == [1] * 6
    assert proxy.fetched(".arrow") - size == 0


def test_threads_fetch_a_shard_once(bucket: str, proxy: Proxy, shard_cache: Path) -> None:
    (name,) = uploaded(bucket, shard_cache, IMAGES)
    proxy.delay = 0.05
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda _: ShardStore(f"{bucket}/shards").images(name).to_pylist(), range(8))
    assert all(images == IMAGES for images in read)
    assert proxy.count("GET", f"{name}.arrow") == 1


FORKS = """
import os, sys
from discern.datasets.shards import ShardStore
store = ShardStore(sys.argv[1])
store.fetch(sys.argv[2:3])
child = os.fork()
if child == 0:
    store.fetch(sys.argv[3:])
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


def test_a_forked_process_fetches_too(bucket: str, shard_cache: Path) -> None:
    names = uploaded(bucket, shard_cache, IMAGES, OTHERS)
    subprocess.run([sys.executable, "-c", FORKS, f"{bucket}/shards", *names], check=True, timeout=60)
    assert len(files(shard_cache)) == 2


def test_a_download_that_is_cut_goes_on_where_it_was(bucket: str, proxy: Proxy, shard_cache: Path) -> None:
    (name,) = uploaded(bucket, shard_cache, [bytes(1_000_000)])
    proxy.cut(Direction.DOWN, after=400_000, times=2, path=".arrow")
    assert ShardStore(f"{bucket}/shards").images(name).to_pylist() == [bytes(1_000_000)]
    assert proxy.count("GET", f"{name}.arrow") == 3
    assert proxy.fetched(name) < 1_100_000


def test_a_download_that_is_always_cut_leaves_nothing(bucket: str, proxy: Proxy, shard_cache: Path) -> None:
    (name,) = uploaded(bucket, shard_cache, [bytes(1_000_000)])
    proxy.cut(Direction.DOWN, after=1000, path=".arrow")
    with pytest.raises(DataError, match=r"\.arrow cannot be fetched \(.*\): check the address") as caught:
        ShardStore(f"{bucket}/shards").fetch([name])
    assert "\n" not in str(caught.value)
    assert proxy.count("GET", f"{name}.arrow") >= 3
    assert files(shard_cache) == []


def test_an_upload_that_is_cut_is_tried_again(bucket: str, proxy: Proxy, shard_cache: Path) -> None:
    store = ShardStore(f"{bucket}/shards")
    name, _ = store.write([bytes(1_000_000)])
    proxy.cut(Direction.UP, after=400_000, times=2)
    store.publish([name])
    assert keys(bucket) == [f"shards/{name}.arrow"]


def test_an_upload_that_is_always_cut_leaves_nothing_and_can_go_on(
    bucket: str, proxy: Proxy, shard_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    store = ShardStore(f"{bucket}/shards")
    first, second = store.write(IMAGES)[0], store.write([bytes(1_000_000)])[0]
    proxy.cut(Direction.UP, after=400_000)
    with pytest.raises(DataError, match=r"\.arrow cannot be written \(.*\): check the address"):
        store.publish([first, second])
    assert keys(bucket) == [f"shards/{first}.arrow"]
    proxy.cut(Direction.UP, after=400_000, times=0)
    before = proxy.count("PUT", first)
    store.publish([first, second])
    assert keys(bucket) == sorted(f"shards/{name}.arrow" for name in (first, second))
    assert proxy.count("PUT", first) == before == 1


def test_a_shard_missing_from_the_bucket_is_one_sentence(bucket: str, shard_cache: Path) -> None:
    with pytest.raises(DataError, match=r"shards/abc\.arrow is missing"):
        ShardStore(f"{bucket}/shards").images("abc")
    assert files(shard_cache) == []


def test_a_bucket_that_does_not_exist_is_one_sentence(bucket: str) -> None:
    with pytest.raises(DataError, match="no shard could be written to s3://nobody-made-this"):
        ShardStore("s3://nobody-made-this/shards").write(IMAGES)
