"""Photos in, a version out, and back again."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.write_version import write_version
from discern.datasets.ingest.writer import ShardLimits
from discern.datasets.manifest import COLUMNS, DatasetVersion, load_manifest, save_manifest
from discern.datasets.splits.assign import SplitConfig
from discern.errors import DataError
from discern.sources.base import UNSTATED, Photo, Provenance
from edge_runtime.core.images import decode
from tests.discern.datasets.leftovers import check_whole
from tests.discern.pictures import BROKEN, jpeg, photos

SMALL = ShardLimits(max_photos=7)
ANY_SHARE = CleaningConfig(max_rejected_share=1.0)
NO_SUCH = CleaningConfig(decisions={"nowhere.jpg": "c01"})


@pytest.fixture
def version(tmp_path: Path) -> DatasetVersion:
    return write_version(photos(), str(tmp_path / "shards"), source="mine", limits=SMALL)[0]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_every_photo_comes_back_as_it_was(version: DatasetVersion) -> None:
    given = list(photos())
    assert len(version) == len(given) == 50
    for i, photo in enumerate(given):
        assert version.image_bytes(i) == photo.load()
        assert version.column("label")[i] == photo.label
        assert version.column("source")[i] == f"mine/{photo.name}"
        assert version.column("sha256")[i] == hashlib.sha256(photo.load()).hexdigest()
    assert np.array_equal(version.pixels(17), decode(given[17].load()))


def test_shards_are_full_and_whole(version: DatasetVersion) -> None:
    names = {path.stem: path for path in Path(version.shards).iterdir()}
    assert set(names) == set(version.column("shard"))
    assert len(names) == 8  # 50 photos, 7 each
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == name for name, path in names.items())


def test_a_shard_also_ends_by_its_bytes(tmp_path: Path) -> None:
    size = len(jpeg(0))
    version, _ = write_version(photos(), str(tmp_path), limits=ShardLimits(max_bytes=5 * size))
    counts = np.unique(version.column("shard"), return_counts=True)[1]
    assert len(counts) >= 10
    assert counts.max() <= 6


def test_the_same_photos_give_the_same_version(tmp_path: Path) -> None:
    one, _ = write_version(photos(), str(tmp_path / "a"))
    two, _ = write_version(photos(), str(tmp_path / "b"))
    assert one.id == two.id
    assert one.table == two.table
    assert left(tmp_path / "a") == left(tmp_path / "b")


def test_the_id_tells_of_the_content_alone(tmp_path: Path, version: DatasetVersion) -> None:
    elsewhere, _ = write_version(photos(), str(tmp_path / "b"), source="mine", limits=ShardLimits(max_photos=50))
    assert elsewhere.id == version.id
    seeds = {write_version(photos(), str(tmp_path / "b"), splits=SplitConfig(seed=seed))[0].id for seed in range(3)}
    assert len(seeds) == 3
    assert version.take(range(49)).id != version.id
    assert version.take(range(49, -1, -1)).id != version.id


def test_more_photos_add_a_shard_and_touch_no_other(tmp_path: Path) -> None:
    write_version(photos(10, 5), str(tmp_path), limits=ShardLimits(max_photos=10))
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_version(photos(11, 5), str(tmp_path), limits=ShardLimits(max_photos=10))
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


def test_select_takes_what_fits_and_keeps_the_order(version: DatasetVersion) -> None:
    parts = [version.select(split) for split in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(version)
    gallery = version.select("test", "gallery")
    assert set(gallery.column("split")) == {"test"}
    assert set(gallery.column("role")) == {"gallery"}
    some = version.select(labels={"c01", "c03", "absent"})
    assert some.labels == ["c01", "c03"]
    assert some.column("source") == sorted(some.column("source"))
    assert some.image_bytes(6) == jpeg(3001)
    assert len(version.select(labels=[])) == 0


def test_a_version_travels_to_other_processes(version: DatasetVersion) -> None:
    version.image_bytes(0)
    copy = pickle.loads(pickle.dumps(version))  # noqa: S301
    assert copy.id == version.id
    assert copy.image_bytes(9) == version.image_bytes(9)


def test_what_the_source_knows_is_kept(tmp_path: Path) -> None:
    taken = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    photo = Photo("x.jpg", "x", jpeg(1), (2.0, 3.0, 20.5, 10.0), "train", "gallery", "tray 7", taken)
    other = Photo("y.jpg", "y", jpeg(2), split="test", role="query")
    version, _ = write_version([photo, other], str(tmp_path))
    row = version.table.slice(0, 1).to_pylist()[0]
    assert (row["box"], row["group"], row["captured_at"]) == ([2.0, 3.0, 20.5, 10.0], "tray 7", taken)
    assert version.pixels(0).shape == (7, 19, 3)
    assert [(row["split"], row["role"]) for row in version.table.to_pylist()] == [
        ("train", "gallery"),
        ("test", "query"),
    ]


def test_a_manifest_comes_back_from_a_path_and_from_a_file(tmp_path: Path, version: DatasetVersion) -> None:
    save_manifest(version, tmp_path / "m.parquet")
    buffer = io.BytesIO()
    save_manifest(version, buffer)
    for again in (load_manifest(tmp_path / "m.parquet"), load_manifest(io.BytesIO(buffer.getvalue()))):
        assert again.id == version.id
        assert again.table == version.table
        assert again.image_bytes(3) == version.image_bytes(3)
    assert tuple(pq.read_table(tmp_path / "m.parquet").column_names) == COLUMNS


def test_a_missing_manifest_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"m\.parquet does not exist"):
        load_manifest(tmp_path / "m.parquet")


def test_a_damaged_or_foreign_manifest_is_one_sentence(tmp_path: Path, version: DatasetVersion) -> None:
    path = tmp_path / "m.parquet"
    save_manifest(version, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"m\.parquet is no readable manifest"):
        load_manifest(path)
    pq.write_table(version.table, path)
    with pytest.raises(DataError, match="is not a manifest of a dataset version: give the path of one"):
        load_manifest(path)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_photo_is_named_and_nothing_half_stays(tmp_path: Path, name: str) -> None:
    given = [*photos(), Photo(f"c01/{name}", "c01", BROKEN[name]())]
    with pytest.raises(DataError, match=rf"1 of 51 photos cannot be used.*allows 1\.0%: 1 broken.*c01/{name}"):
        write_version(given, str(tmp_path), limits=SMALL)
    version, rejected = write_version(given, str(tmp_path), limits=SMALL, cleaning=ANY_SHARE)
    assert len(version) == 50
    assert [(one.name, one.kind) for one in rejected] == [(f"c01/{name}", "broken")]
    assert f"c01/{name}" in rejected[0].reason
    check_whole(tmp_path)


def test_where_no_photo_can_be_used_all_of_them_are_told(tmp_path: Path) -> None:
    given = [Photo(f"c01/{name}", "c01", BROKEN[name]()) for name in ("empty.jpg", "text.jpg")]
    with pytest.raises(DataError) as caught:
        write_version([*given, Photo("what.jpg", None, jpeg(1))], str(tmp_path))
    message = str(caught.value)
    assert "none of the 3 photos can be used: 2 broken (cannot be used): c01/empty.jpg, c01/text.jpg; " in message
    assert "0 bytes" in message
    assert "1 unlabelled (nobody said what it shows): what.jpg; " in message


def test_where_the_split_fails_what_was_left_out_is_told_as_well(tmp_path: Path) -> None:
    given = [*photos(5, 4), Photo("c01/text.jpg", "c01", BROKEN["text.jpg"]())]
    with pytest.raises(DataError, match=r"there are 5 classes, .* 1 broken \(cannot be used\): c01/text\.jpg; "):
        write_version(given, str(tmp_path), cleaning=ANY_SHARE)


def test_too_few_classes_are_told_before_the_first_photo_is_read(tmp_path: Path) -> None:
    def unread() -> bytes:
        raise AssertionError("a photo was read")

    few = [Photo(f"c{i % 5}/{i}.jpg", f"c{i % 5}", unread) for i in range(20)]
    with pytest.raises(DataError, match="there are 5 classes, and at least 8 are needed"):
        write_version(few, str(tmp_path))
    decided = CleaningConfig(decisions={f"c0/{5 * i}.jpg": f"d{i}" for i in range(1, 4)})
    with pytest.raises(AssertionError, match="a photo was read"):
        write_version(few, str(tmp_path), cleaning=decided)


def test_a_box_outside_its_picture_is_refused(tmp_path: Path) -> None:
    given = [*photos(), Photo("far.jpg", "c01", jpeg(1), box=(100, 100, 120, 120))]
    _, (far,) = write_version(given, str(tmp_path), cleaning=ANY_SHARE)
    assert far.kind == "broken"
    assert far.reason.startswith("far.jpg: the box ")
    assert "lies outside the picture of 24 x 24 pixels" in far.reason
    check_whole(tmp_path)


def test_a_picture_given_twice_is_stored_once_and_reported(tmp_path: Path) -> None:
    version, rejected = write_version([*photos(), Photo("c00/copy.jpg", "c00", jpeg(0))], str(tmp_path))
    assert len(version) == 50
    (copy,) = rejected
    assert (copy.name, copy.kind) == ("c00/copy.jpg", "duplicate")
    assert copy.reason == "c00/copy.jpg is the same picture as c00/0.jpg."


def test_a_picture_with_two_labels_is_held_back_until_somebody_decides(tmp_path: Path) -> None:
    given = [*photos(), Photo("c05/copy.jpg", "c05", jpeg(0))]
    version, rejected = write_version(given, str(tmp_path), limits=SMALL)
    assert len(version) == 49
    assert [(one.name, one.kind, one.label) for one in rejected] == [
        ("c00/0.jpg", "conflict", "c00"),
        ("c05/copy.jpg", "conflict", "c05"),
    ]
    assert "c00/0.jpg ('c00') and c05/copy.jpg ('c05') look like one picture under several labels" in rejected[0].reason
    assert rejected[1].shard in {path.stem for path in tmp_path.iterdir()}
    decided = CleaningConfig(decisions={"c05/copy.jpg": "c05"})
    version, rejected = write_version(given, str(tmp_path), limits=SMALL, cleaning=decided)
    assert len(version) == 50
    assert [(one.name, one.kind) for one in rejected] == [("c00/0.jpg", "duplicate")]


def test_a_decision_about_no_photo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a decision names c09/4\.jpeg, .* not have: did you mean 'c09/4\.jpg'\?"):
        write_version(photos(), str(tmp_path), cleaning=CleaningConfig(decisions={"c09/4.jpeg": "c01"}))
    check_whole(tmp_path)


def test_a_decision_may_name_a_photo_as_reports_do(tmp_path: Path) -> None:
    decided = CleaningConfig(decisions={"mine/c00/0.jpg": "c01", "c00/1.jpg": "c02"})
    version, _ = write_version(photos(), str(tmp_path), source="mine", cleaning=decided)
    assert version.column("label")[:3] == ["c01", "c02", "c00"]


def test_a_photo_in_a_folder_of_its_sources_name_can_be_decided_on(tmp_path: Path) -> None:
    given = [*photos(), Photo("mine/x.jpg", "c05", jpeg(0))]
    decided = CleaningConfig(decisions={"mine/x.jpg": "c05"})
    version, _ = write_version(given, str(tmp_path), source="mine", cleaning=decided)
    assert version.column("label")[-1] == "c05"


def test_everything_wrong_with_decisions_is_told_at_once(tmp_path: Path) -> None:
    wrong = CleaningConfig(decisions={"mine/c00/0.jpg": "c01", "c00/0.jpg": "c02", "gone.jpg": "c01"})
    with pytest.raises(DataError) as caught:
        write_version(photos(), str(tmp_path), source="mine", cleaning=wrong)
    first, second = str(caught.value).splitlines()
    assert first.startswith("a decision names gone.jpg, which the source does not have: correct its name.")
    assert second == "decisions give c00/0.jpg two labels, 'c02' and 'c01': take one back."


def test_a_conflict_tells_box_and_provenance(tmp_path: Path) -> None:
    stated = Provenance(labelled_by="ann")
    given = [*photos(), Photo("a.jpg", "c01", jpeg(70), provenance=stated), Photo("b.jpg", "c02", jpeg(70))]
    _, rejected = write_version(given, str(tmp_path))
    assert [reject.provenance for reject in rejected] == [stated, UNSTATED]
    assert [reject.decision_name for reject in rejected] == ["a.jpg", "b.jpg"]


def test_a_source_says_why_a_photo_has_no_label(tmp_path: Path) -> None:
    given = [*photos(), Photo("new.jpg", None, b"", note="new.jpg is still in review.")]
    _, rejected = write_version(given, str(tmp_path))
    assert [one.reason for one in rejected] == ["new.jpg is still in review."]


def test_a_photo_without_a_label_is_reported_and_not_even_read(tmp_path: Path) -> None:
    def never() -> bytes:
        raise AssertionError

    version, rejected = write_version([*photos(), Photo("new.jpg", None, never)], str(tmp_path))
    assert len(version) == 50
    assert [(one.name, one.kind) for one in rejected] == [("new.jpg", "unlabelled")]


def test_things_in_one_picture_share_its_bytes(tmp_path: Path) -> None:
    boxes = [(0.0, 0.0, 10.0, 10.0), (10.0, 10.0, 20.0, 20.0)]
    given = [Photo("x.jpg", label, jpeg(1), box, "train") for label, box in zip("ab", boxes, strict=True)]
    version, rejected = write_version(given, str(tmp_path))
    assert rejected == []
    assert version.column("row") == [0, 0]
    assert version.column("label") == ["a", "b"]


def test_a_source_that_fails_midway_leaves_nothing_half(tmp_path: Path) -> None:
    def failing() -> Iterator[Photo]:
        yield from photos()
        raise DataError("the cable came off: plug it in.")

    with pytest.raises(DataError, match="the cable came off"):
        write_version(failing(), str(tmp_path), limits=SMALL)
    check_whole(tmp_path)


def test_splits_that_do_not_fit_leave_nothing_half(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least 8 are needed"):
        write_version(photos(classes=3), str(tmp_path), limits=SMALL)
    check_whole(tmp_path)


def test_what_was_there_before_an_error_stays(tmp_path: Path) -> None:
    write_version(photos(), str(tmp_path), limits=SMALL)
    before = left(tmp_path)
    with pytest.raises(DataError):
        write_version([*photos(), Photo("new.jpg", "c01", jpeg(70))], str(tmp_path), limits=SMALL, cleaning=NO_SUCH)
    assert set(before) <= set(left(tmp_path))
    check_whole(tmp_path)


def test_no_photos_at_all_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the source has no photos"):
        write_version([], str(tmp_path))


def test_photos_stream(tmp_path: Path) -> None:
    """While the last photos are made, the first are stored and gone."""
    alive: list[int] = []

    def counted() -> Iterator[Photo]:
        for number, photo in enumerate(photos(20, 20)):
            alive.append(len(list((tmp_path / "shards").glob("*.arrow"))) if number % 50 == 0 else alive[-1])
            yield photo

    seen: list[int] = []
    (tmp_path / "shards").mkdir()
    write_version(counted(), str(tmp_path / "shards"), limits=SMALL, progress=seen.append)
    assert alive[-1] >= 40
    assert seen == list(range(1, 401))


def test_a_bucket_holds_a_version(bucket: str, shard_cache: Path, tmp_path: Path) -> None:
    version, _ = write_version(photos(), f"{bucket}/datasets/shards", limits=SMALL)
    save_manifest(version, tmp_path / "m.parquet")
    for path in shard_cache.iterdir():
        path.unlink()  # as on another machine
    elsewhere = load_manifest(tmp_path / "m.parquet")
    assert elsewhere.shards == f"{bucket}/datasets/shards"
    elsewhere.fetch()
    assert len(left(shard_cache)) == 8
    assert [elsewhere.image_bytes(i) for i in range(50)] == [photo.load() for photo in photos()]


def test_an_error_leaves_nothing_in_a_bucket(bucket: str) -> None:
    import boto3

    with pytest.raises(DataError, match="which the source does not have"):
        write_version(photos(), f"{bucket}/shards", limits=SMALL, cleaning=NO_SUCH)
    assert boto3.client("s3").list_objects_v2(Bucket=bucket.removeprefix("s3://"))["KeyCount"] == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from discern.datasets.ingest.writer import ShardLimits
from discern.datasets.manifest import save_manifest
from discern.datasets.ingest.write_version import write_version
from tests.discern.pictures import photos

real, calls = os.fsync, []
def fsync(handle):
    calls.append(handle)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(handle)
os.fsync = fsync
version, _ = write_version(photos(), sys.argv[1] + "/shards", limits=ShardLimits(max_photos=20))
save_manifest(version, Path(sys.argv[1], "manifest.parquet"))
"""


@pytest.mark.parametrize(
    ("moment", "shards", "manifest"),
    [
        (1, 0, False),  # the first shard is written, and not yet named
        (2, 1, False),  # it has its name
        (3, 1, False),  # the journal's line is written, and not yet named
        (5, 1, False),  # the second shard is written, and not yet named
        (11, 3, False),
        (13, 3, False),  # the manifest is written, and not yet named
        (14, 3, True),
    ],
)
def test_a_kill_leaves_whole_shards_and_no_half_manifest(
    tmp_path: Path, moment: int, shards: int, manifest: bool
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(moment)]
    assert subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": "."}).returncode == -signal.SIGKILL
    whole = list((tmp_path / "shards").glob("*.arrow"))
    assert len(whole) == shards
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.stem for path in whole)
    assert (tmp_path / "manifest.parquet").exists() == manifest
    version, _ = write_version(photos(), str(tmp_path / "shards"), limits=ShardLimits(max_photos=20))
    assert dataclasses.asdict(version)["shards"] == str(tmp_path / "shards")
    assert [version.image_bytes(i) for i in range(50)] == [photo.load() for photo in photos()]
