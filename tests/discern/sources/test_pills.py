from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from discern.errors import DataError
from discern.sources.base import Photo
from discern.sources.pills import PillsConfig, PillSource, render_photo
from discern.sources.pills.design import RATIOS, SHAPES, PillDesign, Score, Shape, design_class
from discern.sources.pills.photo import _rotation
from discern.sources.pills.relief import build_relief
from edge_runtime.core.images import decode

ROOT = Path(__file__).resolve().parents[3]


def config(
    families: int = 3, siblings: int = 1, photos: int = 2, size: int = 48, clutter: float = 0.4, seed: int = 0
) -> PillsConfig:
    return PillsConfig(
        families=families, siblings=siblings, photos_per_class=photos, size=size, clutter=clutter, seed=seed
    )


def contents(source: PillSource) -> dict[str, bytes]:
    return {photo.name: photo.load() for photo in source.photos()}


def digest(source: PillSource) -> str:
    return hashlib.sha256(b"".join(photo.name.encode() + photo.load() for photo in source.photos())).hexdigest()


# Settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("families", 0),
        ("siblings", 0),
        ("siblings", 9),
        ("photos_per_class", 0),
        ("size", 31),
        ("size", 513),
        ("seed", -1),
        ("clutter", 1.1),
        ("tilt", 36),
        ("pale", -0.1),
        ("kind", "folder"),
        ("colour", "red"),
    ],
)
def test_a_setting_outside_its_limits_is_named(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        PillsConfig.model_validate({"families": 2, "photos_per_class": 2, key: value})
    assert [error["loc"] for error in caught.value.errors()] == [(key,)]


def test_labels_name_family_and_sibling() -> None:
    settings = config(families=12, siblings=3)
    assert settings.classes == 36
    assert [settings.label_of(i) for i in (0, 2, 3, 35)] == [
        "pill-0000-a",
        "pill-0000-c",
        "pill-0001-a",
        "pill-0011-c",
    ]


@pytest.mark.parametrize("class_index", [-1, 3])
def test_a_class_that_does_not_exist_is_refused(class_index: int) -> None:
    with pytest.raises(IndexError, match="there are 3 classes"):
        render_photo(config(families=3), class_index, 0)


# Designs


@given(seed=st.integers(0, 2**32 - 1), family=st.integers(0, 99_999), siblings=st.integers(2, 8))
def test_siblings_differ_by_their_imprint_alone(seed: int, family: int, siblings: int) -> None:
    settings = config(families=100_000, siblings=siblings, seed=seed)
    designs = [design_class(settings, family * siblings + sibling) for sibling in range(siblings)]
    assert len({replace(design, imprint="") for design in designs}) == 1
    assert len({len(design.imprint) for design in designs}) == 1
    # Turned upside down, HN reads NH: no two siblings may share their letters.
    assert len({tuple(sorted(design.imprint)) for design in designs}) == siblings


def test_families_cover_every_shape_and_style() -> None:
    settings = config(families=400)
    designs = [design_class(settings, i) for i in range(400)]
    assert {design.shape for design in designs} == set(SHAPES)
    assert {design.imprint_style for design in designs} == {"debossed", "embossed", "printed"}
    assert {design.score for design in designs} == {"none", "across", "along"}
    assert {len(design.colours) for design in designs} == {1, 2}
    assert len({replace(design, imprint="") for design in designs}) == 400


def test_pale_sets_the_share_of_white_pills() -> None:
    def least_saturated(pale: float) -> float:
        settings = PillsConfig(families=40, photos_per_class=1, pale=pale)
        colours = [design_class(settings, i).colours[0] for i in range(40)]
        return float(np.mean([max(colour) - min(colour) < 0.3 and min(colour) > 0.6 for colour in colours]))

    assert least_saturated(1.0) == 1.0
    assert least_saturated(0.0) < 0.5


# Surfaces


def printed(shape: Shape, imprint: str, two_lines: bool, score: Score) -> PillDesign:
    low, high = RATIOS.get(shape, (1.0, 1.0))
    base = design_class(config(), 0)
    form = replace(base, shape=shape, ratio=(low + high) / 2, two_lines=two_lines, score=score, imprint=imprint)
    return replace(form, colours=((0.9, 0.9, 0.9),), ink=(0.1, 0.1, 0.1), imprint_style="printed")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("two_lines", "score"), [(False, "none"), (True, "none"), (False, "across"), (False, "along")])
@pytest.mark.parametrize("imprint", ["M", "MM", "MMM", "MMMM"])
def test_the_imprint_stays_on_the_pill_and_is_large_enough(
    shape: Shape, imprint: str, two_lines: bool, score: Score
) -> None:
    relief = build_relief(printed(shape, imprint, two_lines, score), 120)
    inked = relief.albedo[..., 0] < 0.2
    assert inked.sum() > 60 * len(imprint) / 4
    assert relief.mask[inked].min() == 255


def test_siblings_share_the_outline_and_differ_on_the_surface() -> None:
    settings = config(families=12, siblings=2)
    for family in range(12):
        one, other = (build_relief(design_class(settings, 2 * family + k), 60) for k in (0, 1))
        assert np.array_equal(one.mask, other.mask)
        assert np.abs(one.albedo - other.albedo).max() + np.abs(one.normals - other.normals).max() > 0.1


@given(spin=st.floats(0, 6.3), lean=st.floats(0, 0.6), towards=st.floats(0, 6.3))
def test_a_pose_never_mirrors_the_pill(spin: float, lean: float, towards: float) -> None:
    turn = _rotation(spin, lean, towards)
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn[:2, :2]) == pytest.approx(np.cos(lean))  # positive: text reads the right way round


# Photos


@pytest.mark.parametrize("size", [32, 96, 512])
@pytest.mark.parametrize(("clutter", "tilt"), [(0.0, 0.0), (1.0, 35.0)])
def test_the_limits_of_the_settings_render(size: int, clutter: float, tilt: float) -> None:
    settings = PillsConfig(families=3, photos_per_class=1, size=size, clutter=clutter, tilt=tilt)
    for class_index in range(3):
        pixels = render_photo(settings, class_index, 0)
        assert pixels.shape == (size, size, 3)
        assert pixels.dtype == np.uint8
        assert pixels.std() > 3


def test_photos_of_one_pill_resemble_each_other_most() -> None:
    """The middle's mean colour alone tells many families apart: light and camera leave a pill its colour."""
    settings = config(families=25, photos=4)
    photos = [(label, render_photo(settings, label, number)) for label in range(25) for number in range(4)]
    labels = np.array([label for label, _ in photos])
    colours = np.array([np.median(pixels[16:32, 16:32], axis=(0, 1)) for _, pixels in photos])
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.3  # chance is 0.03


def test_rendering_is_fast() -> None:
    settings = config(families=5, photos=8, size=96)
    render_photo(settings, 0, 0)
    start = time.process_time()
    for class_index in range(5):
        for number in range(8):
            render_photo(settings, class_index, number)
    assert 40 / (time.process_time() - start) > 40  # photos a second; an idle core does 250


# The source


def test_more_of_anything_leaves_the_earlier_photos_as_they_were() -> None:
    few = contents(PillSource(config(families=2, siblings=1, photos=2)))
    many = contents(PillSource(config(families=4, siblings=3, photos=4)))
    assert len(few) == 4
    assert len(many) == 48
    assert {name: many[name] for name in few} == few
    assert len(set(many.values())) == 48


def test_another_seed_gives_other_pills() -> None:
    assert not set(contents(PillSource(config(seed=1))).values()) & set(contents(PillSource(config(seed=2))).values())


def test_photos_decode_on_the_device_and_are_named_by_class_and_number() -> None:
    source = PillSource(config(families=2, siblings=2, photos=3))
    photos = list(source.photos())
    assert len(photos) == len(source) == 12
    assert [photo.name for photo in photos[:4]] == [
        "pill-0000-a/00.jpg",
        "pill-0000-a/01.jpg",
        "pill-0000-a/02.jpg",
        "pill-0000-b/00.jpg",
    ]
    for photo in photos:
        assert photo.name.startswith(f"{photo.label}/")
        assert (photo.group, photo.split, photo.role, photo.box) == (None, None, None, None)
        assert decode(photo.load()).shape == (48, 48, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"families": 4},
        {"siblings": 2},
        {"photos_per_class": 3},
        {"size": 50},
        {"seed": 1},
        {"clutter": 0.5},
        {"tilt": 1.0},
        {"pale": 0.5},
    ],
)
def test_the_fingerprint_follows_the_settings(change: dict[str, float]) -> None:
    settings = config()
    assert PillSource(settings).fingerprint() == PillSource(settings).fingerprint()
    assert PillSource(settings.model_copy(update=change)).fingerprint() != PillSource(settings).fingerprint()


# Several processes

MANY = PillsConfig(families=7, siblings=3, photos_per_class=15, size=32)  # enough for workers to be started
SCRIPT = f"""
import hashlib
from discern.sources.pills import PillsConfig, PillSource
source = PillSource(PillsConfig.model_validate_json({MANY.model_dump_json()!r}), workers=3)
print(hashlib.sha256(b"".join(photo.name.encode() + photo.load() for photo in source.photos())).hexdigest())
"""


def children() -> list[int]:
    """The rendering processes of this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (folder / "status").read_text(), (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if f"PPid:\t{os.getpid()}\n" in status and b"discern.sources.pills.workers" in command:
            found.append(int(folder.name))
    return found


@pytest.fixture
def need_proc() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system has no /proc")


def test_photos_are_the_same_to_the_byte_whoever_renders_them() -> None:
    """In this process, in three workers, and in the workers of a script without a main guard."""
    here = digest(PillSource(MANY, workers=1))
    assert digest(PillSource(MANY, workers=3)) == here
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    script = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True)
    assert script.stdout.decode().strip() == here


@pytest.mark.usefixtures("need_proc")
def test_photos_stream_and_leave_no_process_behind() -> None:
    endless = PillsConfig(families=100_000, photos_per_class=10_000, size=32)
    start = time.monotonic()
    photos = iter(PillSource(endless, workers=2).photos())
    first = list(islice(photos, 3))
    assert time.monotonic() - start < 20
    assert [photo.name for photo in first] == [f"pill-0000-a/0{i}.jpg" for i in range(3)]
    assert len(children()) == 2
    cast(Generator[Photo, None, None], photos).close()
    assert children() == []


@pytest.mark.usefixtures("need_proc")
def test_a_killed_worker_is_reported_and_ends_the_others() -> None:
    photos = iter(PillSource(PillsConfig(families=100_000, photos_per_class=500, size=32), workers=2).photos())
    next(photos)
    os.kill(children()[-1], signal.SIGKILL)
    with pytest.raises(DataError, match=r"ended early with status -9 .*: run it again"):
        list(islice(photos, 20_000))
    assert children() == []


def test_a_worker_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no room on the disk' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(DataError, match=r"status 3 \(no room on the disk\): run it again"):
        list(PillSource(MANY, workers=2).photos())


def heldout(**changes: int) -> PillsConfig:
    settings = {"families": 7, "siblings": 2, "photos_per_class": 3, "heldout_families": 4, "unknowns": 2, "shots": 2}
    return PillsConfig.model_validate({"size": 32} | settings | changes)


def test_the_last_families_are_held_out_with_their_siblings_and_some_stay_unknowns() -> None:
    settings = heldout()
    places = {
        settings.label_of(number): [settings.assignment_of(number, photo) for photo in range(3)] for number in range(14)
    }
    for family in range(7):
        assert places[f"pill-{family:04d}-a"] == places[f"pill-{family:04d}-b"]
    assert places["pill-0002-a"] == [("train", "gallery")] * 3
    assert places["pill-0003-a"] == [("test", "gallery"), ("test", "gallery"), ("test", "query")]
    assert places["pill-0004-a"] == [("validation", "gallery"), ("validation", "gallery"), ("validation", "query")]
    assert places["pill-0005-a"] == [("test", "query")] * 3
    assert places["pill-0006-a"] == [("validation", "query")] * 3


def test_the_photos_come_with_their_places_and_holding_out_changes_no_picture() -> None:
    settings = heldout(families=3, siblings=1, heldout_families=2, unknowns=1)
    found = list(PillSource(settings).photos())
    assert [(photo.split, photo.role) for photo in found] == [
        settings.assignment_of(number, photo) for number in range(3) for photo in range(3)
    ]
    plain = PillsConfig(families=3, photos_per_class=3, size=32)
    assert [photo.load() for photo in PillSource(plain).photos()] == [photo.load() for photo in found]
    assert plain.assignment_of(2, 0) == (None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unknowns": 4}, "unknowns some of them"),
        ({"heldout_families": 7}, "heldout_families are some of the families"),
        ({"shots": 3}, "leave no photo to ask about"),
    ],
)
def test_what_cannot_be_held_out_is_an_error(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        heldout(**changes)
