"""Boxes of photos on their way into a version: whatever picture was labelled, the thing is cut out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.assign import SplitConfig
from discern.sources.base import Photo, StatedSize
from edge_runtime.core.images import Box

RAW = (48, 32)
THING: Box = (4.0, 18.0, 16.0, 28.0)


def picture(number: int, orientation: int, size: tuple[int, int] = RAW) -> bytes:
    """Noise with a white thing, as a phone stores it."""
    noise = np.random.default_rng(number).integers(0, 200, (4, 6, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size)
    image.paste((255, 255, 255), (4, 18, 16, 28))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


def photo(
    number: int, orientation: int, stated: StatedSize | None, box: Box = THING, **facts: tuple[int, int]
) -> Photo:
    data = picture(number, orientation, **facts)
    return Photo(f"{number}.png", "ab"[number % 2], lambda: data, box=box, stated_size=stated, stamp=str(number))


def ingested(
    photos: list[Photo], shards: Path, before: DatasetVersion | None = None
) -> tuple[DatasetVersion, list[Rejected]]:
    return write_version(
        photos,
        str(shards),
        splits=SplitConfig(by="photos"),
        cleaning=CleaningConfig(max_rejected_share=1),
        before=before,
    )


def whiteness(version: DatasetVersion) -> list[float]:
    """The share of each crop that is the thing."""
    return [float((version.pixels(i) == 255).all(-1).mean()) for i in range(len(version))]


@pytest.mark.parametrize("scale", [1, 2, 0.5])
@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
def test_boxes_of_the_stored_picture_cut_out_the_thing(tmp_path: Path, orientation: int, scale: float) -> None:
    stated = StatedSize(RAW[0] * scale, RAW[1] * scale)
    box = tuple(side * scale for side in THING)
    photos = [photo(i, orientation, stated, box) for i in range(6)]  # type: ignore[arg-type]
    version, rejected = ingested(photos, tmp_path)
    assert whiteness(version) == [1.0] * 6
    assert rejected == []


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_pictures_upside_down_follow_the_others_of_their_source(tmp_path: Path, orientation: int) -> None:
    stated = StatedSize(*RAW)
    upside_down = [photo(i, orientation, stated) for i in range(6)]
    version, _ = ingested(upside_down, tmp_path)
    assert max(whiteness(version)) < 1, "nothing tells: they are taken to be upright"
    version, _ = ingested([*upside_down, photo(6, 6, stated), photo(7, 6, stated)], tmp_path)
    assert whiteness(version) == [1.0] * 8
    mixed = [photo(i, 6, StatedSize(*RAW[::-1])) for i in (8, 9)]
    _, rejected = ingested([*upside_down, photo(6, 6, stated), photo(7, 6, stated), *mixed], tmp_path)
    assert [reject.name for reject in rejected] == [f"{i}.png" for i in range(6)]
    assert all("of both kinds" in reject.reason for reject in rejected)


def test_other_sources_tell_nothing(tmp_path: Path) -> None:
    others = [photo(i, 6, StatedSize(*RAW, stated_by="other")) for i in (6, 7)]
    upright: Box = (RAW[0] - THING[2], RAW[1] - THING[3], RAW[0] - THING[0], RAW[1] - THING[1])
    version, _ = ingested([*(photo(i, 3, StatedSize(*RAW), upright) for i in range(6)), *others], tmp_path)
    assert whiteness(version) == [1.0] * 8


def test_a_size_of_another_picture_is_told(tmp_path: Path) -> None:
    photos = [photo(i, 6, StatedSize(*RAW)) for i in range(6)]
    photos += [photo(6, 6, StatedSize(100, 100)), photo(7, 1, StatedSize(*RAW[::-1]))]
    version, rejected = ingested(photos, tmp_path)
    assert len(version) == 6
    assert [(reject.kind, reject.name) for reject in rejected] == [("broken", "6.png"), ("broken", "7.png")]
    assert rejected[0].reason.startswith(
        "6.png: the annotation is of a picture of 100 x 100 pixels, and the file has 32"
    )


def test_photos_that_were_read_before_are_turned_too(tmp_path: Path) -> None:
    first, _ = ingested([photo(i, 6, StatedSize(*RAW)) for i in range(6)], tmp_path)
    again, _ = ingested([photo(i, 6, StatedSize(*RAW)) for i in range(8)], tmp_path, before=first)
    assert whiteness(again) == [1.0] * 8
    assert again.table["box"].to_pylist()[:6] == first.table["box"].to_pylist()


def test_boxes_end_at_the_edge_and_those_of_nothing_are_told(tmp_path: Path) -> None:
    boxes: list[Box] = [
        (-5, 0, 3, 3),
        (40, 20, 90, 90),
        (5, 5, 5, 9),
        (9, 9, 2, 2),
        (100, 0, 200, 9),
        (0, 0, float("nan"), 9),
    ]
    photos = [photo(i, 1, None, box) for i, box in enumerate(boxes)]
    photos += [photo(i, 1, None) for i in range(6, 10)]
    version, rejected = ingested(photos, tmp_path)
    found = {
        name: tuple(box) for name, box in zip(version.column("source"), version.table["box"].to_pylist(), strict=True)
    }
    assert (found["0.png"], found["1.png"]) == ((0, 0, 3, 3), (40, 20, 48, 32))
    assert [reject.reason.partition(" the box ")[2].partition(")")[2] for reject in rejected] == [
        " has no area: draw it again, or remove it.",
        " has no area: draw it again, or remove it.",
        " lies outside the picture of 48 x 32 pixels: draw it again, or remove it.",
        " holds what is no number: draw it again, or remove it.",
    ]


def test_a_fault_that_its_source_knows_is_a_reject(tmp_path: Path) -> None:
    def never() -> bytes:
        raise AssertionError

    photos = [photo(i, 1, None) for i in range(6)]
    photos += [Photo("gone.png", "a", never, fault="image 3 of a.json is not there: add it.")]
    _, rejected = ingested(photos, tmp_path)
    assert rejected == [Rejected("gone.png", "image 3 of a.json is not there: add it.", "broken", "a")]
