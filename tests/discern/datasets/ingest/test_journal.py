"""What a run has read is known to the next one, as long as it is true."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from discern.datasets.ingest.image_facts import measure_image
from discern.datasets.ingest.journal import FOLDER, KEPT_FOR, Journal
from discern.datasets.ingest.reuse import KNOWN
from discern.datasets.ingest.writer import PictureWriter, ShardLimits
from discern.datasets.shards import ShardStore
from discern.errors import DataError
from discern.sources.base import Photo
from tests.discern.pictures import photos


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(str(tmp_path))


def wrote(store: ShardStore, source: str, given: list[Photo]) -> pa.Table:
    writer = PictureWriter(store, ShardLimits(max_photos=4), Journal(store, source))
    for photo in given:
        data = photo.load()
        writer.add(data, measure_image(data, photo.name), photo)
    writer.flush()
    return writer.table()


def age(store: ShardStore, seconds: float) -> None:
    for path in (store.home / FOLDER).rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def test_what_was_written_is_known(store: ShardStore) -> None:
    given = list(photos(2, 5))
    rows = wrote(store, "mine", given)
    loaded = Journal(store, "mine").load()
    assert loaded.schema == KNOWN
    assert sorted(loaded.to_pylist(), key=lambda row: str(row["name"])) == rows.to_pylist()
    assert [row["name"] for row in rows.to_pylist()] == [photo.name for photo in given]
    assert Journal(store, "other").load().num_rows == 0


def test_a_shard_that_is_gone_is_not_known(store: ShardStore) -> None:
    wrote(store, "mine", list(photos(2, 5)))
    next(store.home.glob("*.arrow")).unlink()
    assert Journal(store, "mine").load().num_rows < 10


def test_a_damaged_line_is_not_believed(store: ShardStore) -> None:
    wrote(store, "mine", list(photos(2, 4)))
    path = next((store.home / FOLDER).rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:100])
    assert Journal(store, "mine").load().num_rows == 4


def test_a_complete_version_needs_no_journal(store: ShardStore) -> None:
    wrote(store, "mine", list(photos(1, 4)))
    wrote(store, "other", list(photos(2, 4))[4:])
    Journal(store, "mine").clear()
    assert Journal(store, "mine").load().num_rows == 0
    assert Journal(store, "other").load().num_rows == 4
    Journal(store, "other").clear()
    assert not (store.home / FOLDER).exists()
    assert len(list(store.home.glob("*.arrow"))) == 2


def test_what_is_old_is_given_up_with_its_shards(store: ShardStore) -> None:
    wrote(store, "mine", list(photos(1, 4)))
    age(store, KEPT_FOR - 60)
    Journal(store, "other").give_up_old()
    assert Journal(store, "mine").load().num_rows == 4
    age(store, KEPT_FOR + 60)
    Journal(store, "mine").give_up_old()  # its own run goes on with it
    assert Journal(store, "mine").load().num_rows == 4
    Journal(store, "other").give_up_old()  # it is in use again
    assert Journal(store, "mine").load().num_rows == 4
    age(store, KEPT_FOR + 60)
    Journal(store, "other").give_up_old()
    assert list(store.home.rglob("*.arrow")) == []


def test_what_another_run_relies_on_stays(store: ShardStore) -> None:
    given = list(photos(1, 4))
    wrote(store, "mine", given)
    wrote(store, "another", given)  # the same shard
    age(store, KEPT_FOR + 60)
    Journal(store, "third").give_up_old()
    assert len(list(store.home.glob("*.arrow"))) == 1


def test_a_folder_that_another_run_cleared_is_made_again(store: ShardStore) -> None:
    first, second = list(photos(2, 4))[:4], list(photos(2, 4))[4:]
    wrote(store, "mine", first)
    Journal(store, "mine").clear()
    rows = wrote(store, "mine", second)
    assert Journal(store, "mine").load().to_pylist() == rows.to_pylist()


def test_a_place_that_cannot_be_written_is_one_sentence(store: ShardStore) -> None:
    (store.home / FOLDER).write_text("in the way")
    with pytest.raises(DataError, match=r"\.reading.* cannot be written"):
        wrote(store, "mine", list(photos(1, 4)))
