"""Brightness, sharpness, hash and appearance are those of what a row shows, in new versions and in grown ones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from discern.datasets.ingest.image_facts import measure_shown
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion, load_manifest
from discern.quality.checks import CheckConfig
from discern.quality.checks.looks import findings
from discern.quality.checks.model import Condition
from discern.sources.base import Photo
from edge_runtime.core.images import Box, Pixels, encode_png
from tests.discern.datasets.manifests import plant_fixture
from tests.discern.pictures import photos

BOX: Box = (70.0, 70.0, 90.0, 90.0)
FACTS = ("brightness", "sharpness", "phash", "appearance")


def pill_on_black(number: int) -> Pixels:
    """A light thing of 20 pixels in a black picture of 160."""
    pixels: Pixels = np.zeros((160, 160, 3), np.uint8)
    pixels[70:90, 70:90] = np.random.default_rng(number).integers(150, 250, (20, 20, 3))
    return pixels


def never() -> bytes:
    raise AssertionError("the photo was read again")


def boxed(number: int, box: Box = BOX, *, label: str = "c00", read: bool = True) -> Photo:
    data = encode_png(pill_on_black(number)) if read else never
    return Photo(f"black{number}.png", label, data, box, margin=0.1, stamp="1")


def facts(version: DatasetVersion, row: int) -> dict[str, object]:
    return {name: version.table[name][row].as_py() for name in FACTS}


def expected(pixels: Pixels) -> dict[str, object]:
    return asdict(measure_shown(pixels)) | {
        name: float(np.float32(getattr(measure_shown(pixels), name))) for name in ("brightness", "sharpness")
    }


def test_the_facts_of_a_thing_are_those_of_its_crop_with_its_margin(tmp_path: Path) -> None:
    version, _ = write_version([*photos(), boxed(1)], str(tmp_path))
    assert facts(version, 50) == expected(version.pixels(50))
    assert version.pixels(50).shape == (24, 24, 3)
    assert facts(version, 0) == expected(version.pixels(0))


def test_a_light_thing_in_a_dark_picture_is_not_dark(tmp_path: Path) -> None:
    version, _ = write_version([*photos(), *(boxed(i) for i in range(5))], str(tmp_path))
    conditions = [one for one in findings(version, CheckConfig(min_side=24)) if isinstance(one, Condition)]
    assert {one.check: one.passed for one in conditions} == {
        "image_size": True,  # 20 pixels and a margin of 2 on each side
        "dark_images": True,
        "blurred_images": True,
    }


def test_another_box_of_a_photo_that_is_not_read_again_is_measured(tmp_path: Path) -> None:
    first, _ = write_version([*photos(), boxed(1)], str(tmp_path))
    moved: Box = (60.0, 60.0, 90.0, 95.0)
    second, _ = write_version([*photos(), boxed(1, moved, read=False)], str(tmp_path), before=first)
    assert facts(second, 50) == expected(second.pixels(50)) != facts(first, 50)


def test_a_picture_that_had_a_box_and_has_none_now_is_measured_whole(tmp_path: Path) -> None:
    first, _ = write_version([*photos(), boxed(1)], str(tmp_path))
    whole = Photo("black1.png", "c00", never, stamp="1")
    second, _ = write_version([*photos(), whole], str(tmp_path), before=first)
    assert facts(second, 50) == expected(pill_on_black(1))


def test_what_grows_from_an_older_format_takes_none_of_its_facts(tmp_path: Path) -> None:
    old = load_manifest(plant_fixture(3, tmp_path / "old"))
    assert old.table["appearance"].null_count == len(old)
    again = [
        Photo(
            row["source"].removeprefix("mine/"),
            row["label"],
            never,
            None if row["box"] is None else tuple(row["box"]),
            captured_at=row["captured_at"],
            group=row["group"],
            margin=row["margin"],
            stamp=row["stamp"],
        )
        for row in old.table.to_pylist()
    ]
    grown, rejected = write_version(again, old.shards, source="mine", before=old)
    assert rejected == []
    assert grown.id == old.id
    assert any(box is not None for box in grown.column("box"))
    for row in range(len(grown)):
        assert facts(grown, row) == expected(grown.pixels(row))


def test_one_thing_in_two_scenes_is_a_near_duplicate_of_itself(tmp_path: Path) -> None:
    """Their pictures differ all around it."""
    rng = np.random.default_rng(3)
    thing = np.kron(rng.integers(0, 255, (6, 6, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    given = [*photos()]
    for i in range(2):
        scene = rng.integers(0, 255, (200, 200, 3)).astype(np.uint8)
        scene[50:110, 60:120] = thing
        given.append(Photo(f"scene{i}.png", "c00", encode_png(scene), (60.0, 50.0, 120.0, 110.0)))
    version, rejected = write_version(given, str(tmp_path))
    assert rejected == []
    near = version.column("near_duplicates")
    assert near[-1] == near[-2] is not None
    assert near[:-2] == [None] * 50
