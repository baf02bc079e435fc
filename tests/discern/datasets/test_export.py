"""A version as a plain folder of classes, and back."""

from __future__ import annotations

import csv
import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from discern.datasets.diff import diff_versions
from discern.datasets.export import restore
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion, save_manifest
from discern.errors import DataError
from discern.sources.base import Photo, Provenance
from discern.sources.folder import FolderConfig, FolderSource
from discern.sources.table.source import TableConfig, TableSource
from tests.discern.pictures import jpeg, photos, saved
from tests.discern.sources.layouts import AWKWARD_LABELS, sentence

LEFT, RIGHT = (0.0, 0.0, 11.5, 24.0), (12.25, 0.0, 24.0, 24.0)


def written(tmp_path: Path, given: list[Photo]) -> DatasetVersion:
    version, rejected = write_version([*photos(8, 3), *given], str(tmp_path / "shards"), source="mine")
    assert rejected == []
    return version


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "photos.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_a_class_with_the_very_bytes(tmp_path: Path) -> None:
    seen: list[int] = []
    version = written(tmp_path, [])
    restored = restore(version, tmp_path / "out", seen.append)
    assert (restored.folder, restored.classes, restored.pictures) == (tmp_path / "out", 8, 24)
    found = files(tmp_path / "out")
    found.pop("photos.csv")
    assert found == {photo.name: photo.load() for photo in photos(8, 3)}
    assert seen == list(range(1, 25))
    again, rejected = write_version(FolderSource(FolderConfig(path=str(tmp_path / "out"))).photos(), str(tmp_path))
    assert rejected == []
    assert sorted(again.column("sha256")) == sorted(version.column("sha256"))


def awkward() -> list[Photo]:
    """What folders and names cannot say, all in one."""
    given = [
        Photo(f"awkward/{number}/IMG_1.jpg", label, jpeg(25000 + 10 * number + copy), group=f"tray, {copy}")
        for number, label in enumerate(AWKWARD_LABELS)
        for copy in range(2)
    ]
    given = [Photo(f"{i}/{photo.name}", photo.label, photo.data, group=photo.group) for i, photo in enumerate(given)]
    noon = datetime(2026, 4, 1, 12, 0, 0, 250_000, UTC)
    scene = jpeg(26000)
    return [
        *given,
        Photo("scenes/s.jpg", "c00", scene, LEFT, captured_at=noon),
        Photo("scenes/s.jpg", "c01", scene, RIGHT, captured_at=noon),
        Photo("scenes/two.jpg", "c02", jpeg(26001), LEFT, margin=0.25),
        Photo("scenes/two.jpg", "c02", jpeg(26001), RIGHT),
        Photo("official.jpg", "c03", jpeg(26002), split="test", role="query"),
        Photo("no extension", "c04", saved("RGB", "PNG")),
        Photo("other.data", "c04", saved("L", "WEBP")),
    ]


def test_all_of_it_comes_back_through_its_table(tmp_path: Path) -> None:
    version = written(tmp_path, awkward())
    restore(version, tmp_path / "out")
    source = TableSource(TableConfig(path=str(tmp_path / "out"), unlisted="error"))
    again, rejected = write_version(source.photos(), str(tmp_path / "shards"), source="again")
    assert rejected == []
    changes = diff_versions(version, again)
    assert changes.model_copy(update={"renamed": ()}).is_empty, list(changes.lines())
    assert len(again) == len(version)


def every_kind(tmp_path: Path) -> DatasetVersion:
    """Empty and unlabelled images, and a correction of a device, in a version with the rest."""
    noon = datetime(2026, 4, 1, 12, 0, 0, 250_000, UTC)
    by_ann = Provenance("ann", "correction", noon, 0.75, "line 3", "0123abcd")
    more = [
        Photo("belt/1.jpg", None, jpeg(70), split="train", empty=True, provenance=by_ann),
        Photo("belt/2.jpg", None, jpeg(71), split="test", empty=True),
        Photo("belt/new.jpg", None, jpeg(72), provenance=Provenance(device="line 4")),
        Photo("seen.jpg", "c03", jpeg(73), LEFT, provenance=by_ann),
    ]
    keep = CleaningConfig(unlabelled="keep")
    return write_version([*photos(8, 3), *more], str(tmp_path / "shards"), source="mine", cleaning=keep)[0]


def test_rows_of_every_kind_come_back_through_the_table_with_their_provenance(tmp_path: Path) -> None:
    version = every_kind(tmp_path)
    seen: list[int] = []
    assert restore(version, tmp_path / "out", seen.append).pictures == 28
    assert seen[-1] == len(version.all_rows()) == 28
    source = TableSource(TableConfig(path=str(tmp_path / "out"), unlisted="error"))
    keep = CleaningConfig(unlabelled="keep")
    again, rejected = write_version(source.photos(), str(tmp_path / "shards"), source="again", cleaning=keep)
    assert rejected == []
    changes = diff_versions(version, again)
    assert changes.model_copy(update={"renamed": ()}).is_empty, list(changes.lines())
    assert (len(again.negatives()), len(again.unlabelled())) == (2, 1)
    assert again.unlabelled().column("device") == ["line 4"]
    assert again.select(labels=["c03"]).column("release")[-1] == "0123abcd"


def test_images_without_a_label_have_folders_of_their_own(tmp_path: Path) -> None:
    restore(every_kind(tmp_path), tmp_path / "out")
    found = files(tmp_path / "out")
    assert {"empty images/1.jpg", "empty images/2.jpg", "unlabelled images/new.jpg"} <= found.keys()
    rows = {row["path"]: row for row in table(tmp_path / "out")}
    assert (rows["empty images/2.jpg"]["label"], rows["empty images/2.jpg"]["row_kind"]) == ("", "empty")
    assert rows["empty images/2.jpg"]["split"] == "test"
    assert rows["unlabelled images/new.jpg"]["row_kind"] == "unlabelled"


def test_a_class_that_is_named_as_a_folder_of_images_without_a_label_has_another(tmp_path: Path) -> None:
    given = [Photo("odd.jpg", "empty images", jpeg(70)), Photo("odd 2.jpg", "empty images", jpeg(71))]
    version, _ = write_version(
        [*photos(8, 3), *given, Photo("belt.jpg", None, jpeg(72), empty=True)], str(tmp_path / "shards")
    )
    restore(version, tmp_path / "out")
    folders = {row["path"].split("/")[0]: row["label"] for row in table(tmp_path / "out")}
    assert folders["empty images"] == ""
    assert sorted(label for label in folders.values() if label == "empty images") == ["empty images"]


def test_labels_that_are_no_names_stay_inside(tmp_path: Path) -> None:
    version = written(tmp_path, awkward())
    restore(version, tmp_path / "deep" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "shards"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    folders = {row["label"]: row["path"].split("/")[0] for row in table(tmp_path / "deep" / "out")}
    assert folders["../x"] == "%2E.%2Fx"
    assert folders["scratch"].lower() != folders["Scratch"].lower()
    assert folders["=1+1"] == "=1+1"


def test_a_picture_of_two_classes_is_in_both_folders(tmp_path: Path) -> None:
    restore(written(tmp_path, awkward()), tmp_path / "out")
    found = files(tmp_path / "out")
    assert found["c00/s.jpg"] == found["c01/s.jpg"] == jpeg(26000)
    assert [row["path"] for row in table(tmp_path / "out") if row["path"].endswith("two.jpg")] == ["c02/two.jpg"] * 2


def test_names_that_collide_hold_a_piece_of_the_hash(tmp_path: Path) -> None:
    same = [Photo(f"{i}/IMG_1.{end}", "c00", jpeg(27000 + i)) for i, end in enumerate(["jpg", "JPG", "jpg"])]
    version = written(tmp_path, same)
    restore(version, tmp_path / "out")
    digests = version.column("sha256")[-3:]
    names = [row["path"] for row in table(tmp_path / "out")][-3:]
    assert names == ["c00/IMG_1.jpg", f"c00/IMG_1-{digests[1][:8]}.JPG", f"c00/IMG_1-{digests[2][:8]}.jpg"]
    assert [files(tmp_path / "out")[name] for name in names] == [photo.load() for photo in same]


def test_a_name_without_extension_gets_that_of_its_content(tmp_path: Path) -> None:
    restore(written(tmp_path, awkward()), tmp_path / "out")
    assert {"c04/no extension.png", "c04/other.data.webp"} <= files(tmp_path / "out").keys()


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    version = written(tmp_path, [])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match=r"out is not an empty folder: name one") as caught:
        restore(version, tmp_path / "out")
    sentence(caught.value)
    assert files(tmp_path / "out") == {"mine.txt": b"mine"}
    with pytest.raises(DataError, match="is not an empty folder"):
        restore(version, tmp_path / "out" / "mine.txt")


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    version = written(tmp_path, [])
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written \(File exists\): free some space or") as caught:
        restore(version, tmp_path / "file" / "out")
    sentence(caught.value)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The disk takes no larger file, whoever writes; Python ignores the signal of that limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path) -> None:
    version = written(tmp_path, [Photo("large.jpg", "c07", jpeg(28000, 300))])
    with files_of_at_most(20_000), pytest.raises(DataError, match=os.strerror(errno.EFBIG)) as caught:
        restore(version, tmp_path / "out")
    sentence(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]


def test_a_missing_shard_leaves_nothing(tmp_path: Path) -> None:
    version = written(tmp_path, [])
    (shard,) = (tmp_path / "shards").iterdir()
    data = shard.read_bytes()
    shard.unlink()
    with pytest.raises(DataError, match="is missing: the dataset version needs it"):
        restore(version, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    altered = bytearray(data)
    altered[altered.index(jpeg(1000)[100:200])] ^= 1
    shard.write_bytes(altered)
    other = DatasetVersion(version.table, str(tmp_path / "shards" / "." / ".." / "shards"))
    with pytest.raises(DataError, match="is damaged in shard") as caught:
        restore(other, tmp_path / "out")
    sentence(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_version_in_a_bucket(tmp_path: Path, bucket: str, shard_cache: Path) -> None:
    version, _ = write_version(photos(8, 3), f"{bucket}/shards", source="mine")
    for path in shard_cache.iterdir():
        path.unlink()
    assert restore(version, tmp_path / "out").pictures == 24
    assert files(tmp_path / "out")["c03/1.jpg"] == jpeg(3001)


KILLED = """
import os, signal, sys
from pathlib import Path
from discern.datasets.manifest import load_manifest
from discern.datasets.export import restore

manifest, folder, event, deadly = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
version, seen = load_manifest(manifest), 0
def count(name, arguments):
    global seen
    if name == event and arguments and str(arguments[0]).startswith(os.path.dirname(folder)):
        seen += 1
        if seen == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
restore(version, Path(folder))
"""


@pytest.mark.parametrize(("event", "deadly"), [("os.mkdir", 5), ("open", 3), ("open", 20), ("os.rename", 1)])
def test_a_kill_leaves_no_half_folder(tmp_path: Path, event: str, deadly: int) -> None:
    version = written(tmp_path, [])
    save_manifest(version, tmp_path / "manifest.parquet")
    place = tmp_path / "restored" / "out"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "manifest.parquet"), str(place), event, str(deadly)]
    child = subprocess.run(command, check=False, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert not place.exists()
    assert len(list(place.parent.iterdir())) == 1
    assert restore(version, place).pictures == 24
    assert list(place.parent.iterdir()) == [place], "what the killed one left is gone"


def test_the_table_says_what_it_knows(tmp_path: Path) -> None:
    restore(written(tmp_path, awkward()), tmp_path / "out")
    rows = [row for row in table(tmp_path / "out") if row["source"] == "mine/scenes/s.jpg"]
    assert list(rows[1].values())[:7] == ["c01/s.jpg", "c01", "12.25", "0.0", "24.0", "24.0", "0.0"]
    assert rows[1]["captured_at"] == "2026-04-01T12:00:00.250000+00:00"
    assert next(row for row in table(tmp_path / "out") if row["group"])["group"] == "tray, 0"
