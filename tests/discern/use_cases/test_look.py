"""A look at photos finds what the data pipeline will find."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from discern.errors import DataError
from discern.sources.files.open import open_tree
from discern.use_cases import recipe
from discern.use_cases.layout import recognise
from discern.use_cases.look import Look, look
from discern.use_cases.speed import measure_speed
from discern.use_cases.summary import described
from edge_runtime.core.images import encode_png
from tests.discern import toy
from tests.discern.pictures import fill


def look_at(folder: Path, shards: Path) -> Look:
    return look(recognise(open_tree(str(folder)), str(folder)), str(folder), shards)


@pytest.fixture(scope="module")
def untidy(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Discs, some of which are broken, repeated, or under two labels."""
    folder = tmp_path_factory.mktemp("photos")
    for label in toy.TRAINED:
        (folder / label).mkdir()
        for number in range(6):
            (folder / label / f"{number}.png").write_bytes(encode_png(toy.disc(label, number)))
    first, second, third = sorted(path for path in folder.iterdir())[:3]
    picture = next(iter(sorted(first.iterdir()))).read_bytes()
    (first / "again.png").write_bytes(picture)
    (second / "elsewhere.png").write_bytes(sorted(third.iterdir())[0].read_bytes())
    (third / "broken.jpg").write_bytes(b"no picture")
    (third / "cut.png").write_bytes(picture[: len(picture) // 2])
    return look_at(folder, tmp_path_factory.mktemp("shards"))


def test_a_look_finds_what_will_be_left_out(untidy: Look) -> None:
    summary = untidy.summary
    assert [photo.name.rpartition("/")[2] for photo in summary.broken] == ["broken.jpg", "cut.png"]
    assert len(summary.conflicts) == 2
    assert summary.repeated == 1
    assert summary.taken == sum(summary.photos.values()) + 5
    assert {failed.check for failed in summary.failed} >= {"label_conflicts"}


def test_a_look_is_told_in_lines(untidy: Look) -> None:
    lines = list(described(untidy.summary))
    assert f"{len(untidy.version)} usable photos of {len(untidy.version.labels)} classes" in lines[0]
    assert any(line.startswith("2 photos cannot be used") for line in lines)
    assert any("look like one picture under several labels" in line for line in lines)


def test_the_split_is_counted_from_the_version(untidy: Look) -> None:
    split = untidy.summary.split
    assert split.can_be_released
    assert sum(split.train) == len(untidy.version.select(split="train"))
    unknown = untidy.version.select(split="validation", labels=split.unknown_classes)
    assert split.validation_unknown == len(unknown)


def test_a_speed_is_measured_on_the_photos(untidy: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure_speed(untidy).student_step == 0, "of so few photos nothing is trained"
    monkeypatch.setattr(recipe, "FEW_PHOTOS", 1)
    monkeypatch.setattr(recipe, "WEIGHTS_SIDE", 32)
    alone = measure_speed(untidy)
    assert alone.student_step > 0
    assert alone.teacher_step == 0, "a light net with weights needs no teacher"
    grey = dataclasses.replace(untidy, summary=dataclasses.replace(untidy.summary, kind="grey"))
    both = measure_speed(grey)
    assert both.teacher_step > 0
    assert both.student_step > 0
    assert min(alone.slowdown, both.slowdown) >= 1 - 1e-6


def test_a_class_of_which_nothing_can_be_used_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos", classes=10)
    for number in range(3):
        (folder / "c00" / f"{number}.jpg").write_bytes(b"no picture")
    for number in range(4):
        (folder / "c05" / f"{number}.jpg").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        look_at(folder, tmp_path / "shards")
    sentences = str(caught.value).splitlines()
    assert "class c00" in sentences[0]
    assert "4 photos, and 1 of them can be used" in sentences[0]
    assert "class c05" in sentences[1]


def test_photos_none_of_which_can_be_used_are_one_sentence(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos", classes=2)
    for path in folder.rglob("*.jpg"):
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="none of the 8 photos can be used"):
        look_at(folder, tmp_path / "shards")


def test_the_shorter_side_is_that_of_the_box(tmp_path: Path) -> None:
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        for copy in range(3):
            (tmp_path / f"{number}-{copy}.png").write_bytes(encode_png(np.roll(pixels, 7 * copy, 0)))
    rows = [f"{number}-{copy}.png,class-{number},2,2,22,12" for number in range(12) for copy in range(3)]
    header = "path,label,left,top,right,bottom"
    (tmp_path / "photos.csv").write_text("\n".join([header, *rows]))
    summary = look_at(tmp_path, tmp_path / "shards").summary
    assert summary.median_short_side == 10


@pytest.mark.parametrize("classes", [3, 9])
def test_photos_of_one_session_a_class_are_split_all_the_same(tmp_path: Path, classes: int) -> None:
    fill(tmp_path, classes=classes, each=6)
    rows = [f"c{label:02d}/{i}.jpg,c{label:02d},2026-05-01T10:0{i}:00" for label in range(classes) for i in range(6)]
    (tmp_path / "photos.csv").write_text("\n".join(["path,label,captured_at", *rows]))
    seen = look_at(tmp_path, tmp_path / "shards")
    assert seen.summary.split.can_be_released
    assert (seen.splits.by, seen.splits.session_minutes) == ("photos", 0)
