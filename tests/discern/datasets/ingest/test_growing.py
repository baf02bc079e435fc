"""A version that grows from an earlier one: what is unchanged is not read again, and nothing moves."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.ingest.writer import ShardLimits
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.assign import SplitConfig
from discern.errors import DataError
from discern.sources.base import Photo
from discern.sources.folder import FolderConfig, FolderSource
from discern.sources.pills import PillsConfig, PillSource
from tests.discern.pictures import fill, jpeg, photos


def stamped(given: Iterable[Photo]) -> list[Photo]:
    return [Photo(photo.name, photo.label, photo.load, stamp=str(len(photo.load()))) for photo in given]


def unread(photo: Photo) -> Photo:
    """The same photo, which must not be read."""

    def never() -> bytes:
        raise AssertionError(photo.name)

    return Photo(photo.name, photo.label, never, photo.box, stamp=photo.stamp, margin=photo.margin)


def grow(given: Iterable[Photo], folder: Path, before: DatasetVersion | None = None) -> DatasetVersion:
    version, rejected = write_version(given, str(folder), source="mine", before=before)
    assert rejected == []
    return version


def places(version: DatasetVersion) -> dict[str, tuple[str, str]]:
    columns = (version.column(name) for name in ("source", "split", "role"))
    return {name: (split, role) for name, split, role in zip(*columns, strict=True)}


def test_only_what_is_new_is_read_and_written(tmp_path: Path) -> None:
    first = grow(stamped(photos(10, 5)), tmp_path)
    size = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    second = grow([*map(unread, stamped(photos(10, 5))), *stamped(photos(11, 5))[50:]], tmp_path, first)
    new = [path for path in tmp_path.iterdir() if path.name not in size]
    assert len(new) == 1
    assert sum(path.stat().st_size for path in new) < 0.2 * sum(size.values())
    assert len(second) == 55
    assert [second.image_bytes(i) for i in range(55)] == [photo.load() for photo in photos(11, 5)]
    assert places(first).items() <= places(second).items()


def test_nothing_new_is_the_same_version(tmp_path: Path) -> None:
    first = grow(stamped(photos()), tmp_path)
    second = grow(map(unread, stamped(photos())), tmp_path, first)
    assert second.id == first.id
    assert second.table == first.table
    assert grow(photos(), tmp_path).id == first.id


def test_photos_of_a_folder_are_told_apart_by_size_and_time(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos", 10, 4)
    first = grow(FolderSource(FolderConfig(path=str(folder))).photos(), tmp_path / "shards")
    (folder / "c03" / "1.jpg").write_bytes(jpeg(77))
    second = grow(FolderSource(FolderConfig(path=str(folder))).photos(), tmp_path / "shards", first)
    changed = [i for i in range(40) if first.image_bytes(i) != second.image_bytes(i)]
    assert [second.column("source")[i] for i in changed] == ["mine/c03/1.jpg"]


def test_files_that_changed_places_are_noticed(tmp_path: Path) -> None:
    """Of one size and one time of change, as an archive gives them to all its files."""
    folder = tmp_path / "photos"
    for photo in photos(10, 4):
        path = folder / photo.name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(photo.load())).save(path.with_suffix(".bmp"))
        os.utime(path.with_suffix(".bmp"), (1e9, 1e9))
    first = grow(FolderSource(FolderConfig(path=str(folder))).photos(), tmp_path / "shards")
    one, other = folder / "c00/0.bmp", folder / "c01/0.bmp"
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    second = grow(FolderSource(FolderConfig(path=str(folder))).photos(), tmp_path / "shards", first)
    assert second.image_bytes(0) == first.image_bytes(4)
    assert second.id != first.id


def test_a_photo_that_moved_to_another_name_is_not_stored_again(tmp_path: Path) -> None:
    first = grow(stamped(photos()), tmp_path)
    moved = [Photo(f"new/{photo.name}", photo.label, photo.data, stamp="other") for photo in stamped(photos())]
    second = grow(moved, tmp_path, first)
    assert second.column("shard") == first.column("shard")
    assert [place for _, place in sorted(places(second).items())] == [
        place for _, place in sorted(places(first).items())
    ]


def test_a_photo_that_was_relabelled_takes_its_new_class(tmp_path: Path) -> None:
    first = grow(stamped(photos(12, 5)), tmp_path)
    given = [unread(photo) for photo in stamped(photos(12, 5))]
    given[0] = Photo(given[0].name, "c11", given[0].data, stamp=given[0].stamp)
    second = grow(given, tmp_path, first)
    assert second.column("label")[0] == "c11"
    split = {
        split for label, split in zip(second.column("label"), second.column("split"), strict=True) if label == "c11"
    }
    assert len(split) == 1
    assert {name: place for name, place in places(first).items() if name != "mine/c00/0.jpg"}.items() <= places(
        second
    ).items()


def test_another_way_to_split_splits_anew(tmp_path: Path) -> None:
    first = grow(stamped(photos(20, 5)), tmp_path)
    again, _ = write_version(
        map(unread, stamped(photos(20, 5))), str(tmp_path), source="mine", before=first, splits=SplitConfig(seed=8)
    )
    fresh, _ = write_version(photos(20, 5), str(tmp_path), source="mine", splits=SplitConfig(seed=8))
    assert again.id == fresh.id != first.id


def test_a_version_of_another_place_is_of_no_use(tmp_path: Path) -> None:
    first = grow(stamped(photos()), tmp_path / "a")
    with pytest.raises(AssertionError):
        grow(map(unread, stamped(photos())), tmp_path / "b", first)


def smaller(data: bytes) -> bytes:
    image = Image.open(io.BytesIO(data))
    buffer = io.BytesIO()
    image.resize((72, 72), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def pills() -> list[Photo]:
    config = PillsConfig(families=10, siblings=1, photos_per_class=4, size=96, seed=2)
    return stamped(PillSource(config, workers=1).photos())


def of(kind: str, rejected: list[Rejected]) -> list[str]:
    return [one.name for one in rejected if one.kind == kind]


def test_near_duplicates_go_to_one_side_now_and_later(tmp_path: Path) -> None:
    given = pills()
    copies = [Photo(f"{photo.label}/copy{i}.jpg", photo.label, smaller(photo.load())) for i, photo in enumerate(given)]
    at_once = grow([*given, *copies], tmp_path)
    groups = at_once.column("near_duplicates")
    assert groups[:40] == groups[40:]
    assert len(set(groups)) == 40
    assert None not in groups
    roles = at_once.column("role")
    assert roles[:40] == roles[40:]
    later = grow([*map(unread, given), *copies], tmp_path, grow(given, tmp_path))
    assert later.column("near_duplicates") == groups
    assert later.column("role")[:40] == later.column("role")[40:]


def test_a_photo_like_some_on_both_sides_is_left_out(tmp_path: Path) -> None:
    given = pills()
    first = grow(given, tmp_path)
    held = sorted(
        {label for label, role in zip(first.column("label"), first.column("role"), strict=True) if role == "query"}
    )
    enrolled = next(label for label in held if "gallery" in first.select(labels=[label]).column("role"))
    grouped = [
        Photo(photo.name, photo.label, photo.data, group="tray" if photo.label == enrolled else None, stamp=photo.stamp)
        for photo in given
    ]
    bridge = Photo(f"{enrolled}/new.jpg", enrolled, jpeg(5, 96), group="tray")
    version, rejected = write_version([*grouped, bridge], str(tmp_path), source="mine", before=first)
    assert of("bridge", rejected) == [bridge.name]
    assert places(version) == places(first)


def test_one_picture_in_two_sizes_and_classes_is_a_conflict(tmp_path: Path) -> None:
    given = pills()
    wrong = Photo("other/x.jpg", given[-1].label, smaller(given[0].load()))
    version, rejected = write_version([*given, wrong], str(tmp_path))
    assert of("conflict", rejected) == [given[0].name, "other/x.jpg"]
    decided = CleaningConfig(decisions={"other/x.jpg": str(wrong.label)})
    version, rejected = write_version([*given, wrong], str(tmp_path), cleaning=decided)
    assert [(one.name, one.kind) for one in rejected] == [(given[0].name, "duplicate")]
    both = CleaningConfig(decisions={"other/x.jpg": str(wrong.label), given[0].name: str(given[0].label)})
    version, rejected = write_version([*given, wrong], str(tmp_path), cleaning=both)
    assert rejected == []
    assert version.column("lookalike")[0] == "other/x.jpg"
    assert version.column("lookalike")[-1] == given[0].name


def test_one_picture_in_three_sizes_and_classes_is_one_conflict_and_one_decision_settles_it(tmp_path: Path) -> None:
    given = pills()
    first, second = sorted({str(photo.label) for photo in given} - {given[0].label})[:2]
    once = smaller(given[0].load())
    more = [Photo("x.jpg", first, once), Photo("y.jpg", second, smaller(once))]
    _, rejected = write_version([*given, *more], str(tmp_path))
    assert of("conflict", rejected) == [given[0].name, "x.jpg", "y.jpg"]
    assert len({reject.reason for reject in rejected}) == 1
    decided = CleaningConfig(decisions={"x.jpg": first})
    _, rejected = write_version([*given, *more], str(tmp_path), cleaning=decided)
    assert [(reject.name, reject.kind) for reject in rejected] == [(given[0].name, "duplicate"), ("y.jpg", "duplicate")]


def test_a_decision_is_about_one_thing_of_a_picture(tmp_path: Path) -> None:
    box, other = (0.0, 0.0, 10.0, 10.0), (10.0, 10.0, 20.0, 20.0)
    given = [
        *photos(),
        *(Photo("t.jpg", label, jpeg(9), where) for label, where in (("c00", box), ("c01", box), ("c02", other))),
    ]
    _, rejected = write_version(given, str(tmp_path))
    assert of("conflict", rejected) == ["t.jpg", "t.jpg"]
    assert "t.jpg@0,0,10,10 ('c00')" in rejected[0].reason
    decided = CleaningConfig(decisions={"t.jpg@0,0,10,10": "c01"})
    version, rejected = write_version(given, str(tmp_path), cleaning=decided)
    assert version.column("label")[-2:] == ["c01", "c02"]
    assert of("duplicate", rejected) == ["t.jpg"]


def test_other_limits_compare_all_photos_again(tmp_path: Path) -> None:
    given = pills()
    wrong = Photo("other/x.jpg", given[-1].label, smaller(given[0].load()), stamp="1")
    loose = CleaningConfig(same_similarity=1)
    first, rejected = write_version([*given, wrong], str(tmp_path), cleaning=loose)
    assert rejected == []
    _, rejected = write_version(map(unread, [*given, wrong]), str(tmp_path), before=first)
    assert of("conflict", rejected) == [given[0].name, "other/x.jpg"]


def test_what_is_left_out_ties_nothing_together(tmp_path: Path) -> None:
    """A photo between two sessions, one enrolled and one asked, is left out; they are two sessions still."""
    noon = datetime(2026, 4, 1, 12, tzinfo=UTC)
    given = [
        Photo(
            photo.name, photo.label, photo.data, captured_at=noon + timedelta(minutes=15 * (i % 5)), stamp=photo.stamp
        )
        for i, photo in enumerate(stamped(photos(10, 5)))
    ]
    first = grow(given, tmp_path)
    label = first.select("test", "gallery").labels[0]
    places_of = {name: role for name, (_, role) in places(first.select(labels=[label])).items()}
    between = next(i for i in range(4) if places_of[f"mine/{label}/{i}.jpg"] != places_of[f"mine/{label}/{i + 1}.jpg"])
    bridge = Photo("b.jpg", label, jpeg(999), captured_at=noon + timedelta(minutes=15 * between + 7))
    version, rejected = write_version([*given, bridge], str(tmp_path), source="mine", before=first)
    assert of("bridge", rejected) == ["b.jpg"]
    assert places(version) == places(first)
    sides: dict[tuple[str, str], set[str]] = {}
    for row in version.table.to_pylist():
        sides.setdefault((row["label"], row["session"]), set()).add(row["role"])
    assert all(len(roles) == 1 for roles in sides.values())


def test_places_are_kept_where_the_shards_lie_elsewhere(tmp_path: Path) -> None:
    first = grow(stamped(photos(20, 5)), tmp_path / "a")
    second = grow(stamped(photos(24, 7)), tmp_path / "b", first)
    assert places(first).items() <= places(second).items()


def test_a_box_is_kept_as_far_as_it_is_inside(tmp_path: Path) -> None:
    given = [*photos(), Photo("scene.jpg", "c00", jpeg(77), (-1e9, -5.0, 12.0, 9.5))]
    first = grow(given, tmp_path)
    assert first.column("box")[-1] == [0, 0, 12, 9.5]
    assert grow(given, tmp_path, first).table == first.table


def test_things_in_boxes_of_one_scene_are_no_conflict(tmp_path: Path) -> None:
    given = pills()
    for copy, (left, right) in ((given[0].load(), (0.0, 40.0)), (smaller(given[0].load()), (40.0, 70.0))):
        label = given[0].label if left == 0 else given[-1].label
        given.append(Photo(f"scene{left}.jpg", label, copy, (left, 0.0, right, 60.0)))
    _, rejected = write_version(given, str(tmp_path))
    assert rejected == []


def test_a_session_stays_on_one_side(tmp_path: Path) -> None:
    noon = datetime(2026, 4, 1, 12, tzinfo=UTC)
    given = [
        Photo(photo.name, photo.label, photo.data, captured_at=noon + timedelta(minutes=1 if number % 5 < 3 else 90))
        for number, photo in enumerate(photos(10, 5))
    ]
    version = grow(given, tmp_path)
    sides: dict[tuple[str, str], set[str]] = {}
    for label, session, role in zip(*(version.column(name) for name in ("label", "session", "role")), strict=True):
        sides.setdefault((label, session), set()).add(role)
    assert len(sides) == 20
    assert all(len(roles) == 1 for roles in sides.values())


def test_a_refused_run_leaves_the_earlier_version_alone_and_the_next_goes_on(tmp_path: Path) -> None:
    first = grow(stamped(photos()), tmp_path)
    more = stamped(photos(12, 5))
    no_such = CleaningConfig(decisions={"nowhere.jpg": "c01"})
    with pytest.raises(DataError, match="which the source does not have"):
        write_version(more, str(tmp_path), source="mine", before=first, cleaning=no_such)
    assert [first.image_bytes(i) for i in range(50)] == [photo.load() for photo in photos()]
    second = grow(map(unread, more), tmp_path, first)
    assert len(second) == 60
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


KILLED = """
import os, signal, sys
from pathlib import Path
from discern.sources.folder import FolderConfig, FolderSource
from discern.datasets.ingest.writer import ShardLimits
from discern.datasets.ingest.write_version import write_version

def killed(taken):
    if taken == 60:
        os.kill(os.getpid(), signal.SIGKILL)
source = FolderSource(FolderConfig(path=sys.argv[1]))
write_version(source.photos(), sys.argv[2], source=source.name, limits=ShardLimits(max_photos=10), progress=killed)
"""


def test_a_killed_run_is_gone_on_with(tmp_path: Path) -> None:
    folder, shards = fill(tmp_path / "photos", 10, 8), tmp_path / "shards"
    child = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(shards)], check=False)
    assert child.returncode == -signal.SIGKILL
    whole = list(shards.glob("*.arrow"))
    assert len(whole) == 5
    source = FolderSource(FolderConfig(path=str(folder)))
    read: list[str] = []

    def noted(photo: Photo) -> bytes:
        read.append(photo.name)
        return photo.load()

    given = [Photo(p.name, p.label, partial(noted, p), stamp=p.stamp) for p in source.photos()]
    version, _ = write_version(given, str(shards), source=source.name, limits=ShardLimits(max_photos=10))
    assert sorted(read) == sorted(photo.name for photo in given[50:])
    assert version.id == write_version(source.photos(), str(tmp_path / "fresh"), source=source.name)[0].id
    assert [version.image_bytes(i) for i in range(80)] == [photo.load() for photo in source.photos()]
    assert list(shards.glob(".*")) == []


def test_a_source_that_breaks_off_is_gone_on_with_in_a_bucket(bucket: str, shard_cache: Path) -> None:
    def breaking() -> Iterator[Photo]:
        yield from stamped(photos(10, 5))[:30]
        raise DataError("the connection broke: run it again.")

    shards = f"{bucket}/shards"
    with pytest.raises(DataError, match="the connection broke"):
        write_version(breaking(), shards, source="mine", limits=ShardLimits(max_photos=10))
    given = stamped(photos(10, 5))
    version, _ = write_version([*map(unread, given[:30]), *given[30:]], shards, source="mine")
    for path in shard_cache.glob("*.arrow"):
        path.unlink()  # as on another machine
    version.fetch()
    assert [version.image_bytes(i) for i in range(50)] == [photo.load() for photo in photos(10, 5)]


def test_limits_hold_for_new_shards(tmp_path: Path) -> None:
    first = grow(stamped(photos()), tmp_path)
    version, _ = write_version(photos(14, 5), str(tmp_path), before=first, limits=ShardLimits(max_photos=7))
    assert len(list(tmp_path.iterdir())) == 1 + 3
    assert len(version) == 70
