from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from discern.data.shards import ShardStore
from discern.errors import DataError

IMAGES = [b"one", b"", b"three" * 1000]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


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


def test_a_bucket_gives_back_what_it_got(bucket: str, shard_cache: Path) -> None:
    name, new = ShardStore(f"{bucket}/shards").write(IMAGES)
    assert new
    for path in shard_cache.iterdir():
        path.unlink()  # as on another machine
    reader = ShardStore(f"{bucket}/shards")
    reader.fetch([name])
    assert files(shard_cache) == [f"{name}.arrow"]
    assert reader.images(name).to_pylist() == IMAGES


def test_what_was_uploaded_or_fetched_is_not_fetched_again(bucket: str, shard_cache: Path) -> None:
    store = ShardStore(f"{bucket}/shards")
    name, _ = store.write(IMAGES)
    store.files.rm_file(f"{store.root}/{name}.arrow")  # whoever asked the bucket now would fail
    store.fetch([name])
    assert store.images(name).to_pylist() == IMAGES


def test_an_altered_remote_shard_is_refused_and_not_kept(bucket: str, shard_cache: Path) -> None:
    store = ShardStore(f"{bucket}/shards")
    name, _ = store.write(IMAGES)
    (shard_cache / f"{name}.arrow").unlink()
    place = f"{store.root}/{name}.arrow"
    altered = bytearray(store.files.cat_file(place))
    altered[200] ^= 1
    store.files.pipe_file(place, bytes(altered))
    with pytest.raises(DataError, match="is not what its name says"):
        store.images(name)
    assert files(shard_cache) == []


def test_a_shard_missing_from_the_bucket_is_one_sentence(bucket: str, shard_cache: Path) -> None:
    with pytest.raises(DataError, match=r"shards/abc\.arrow is missing"):
        ShardStore(f"{bucket}/shards").images("abc")
    assert files(shard_cache) == []


def test_a_bucket_that_does_not_exist_is_one_sentence(bucket: str) -> None:
    with pytest.raises(DataError, match="no shard could be written to s3://nobody-made-this"):
        ShardStore("s3://nobody-made-this/shards").write(IMAGES)
