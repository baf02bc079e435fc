"""Cleaning with images that show nothing, and with images that nobody has looked at yet."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.sources.base import Photo
from discern.sources.pills import PillsConfig, PillSource
from tests.discern.pictures import jpeg, photos

KEEP = CleaningConfig(unlabelled="keep")
BOX = (0.0, 0.0, 10.0, 10.0)


def made(folder: Path, *more: Photo, cleaning: CleaningConfig = KEEP) -> tuple[DatasetVersion, list[Rejected]]:
    return write_version([*photos(10, 3), *more], str(folder), source="mine", cleaning=cleaning)


def kinds(rejected: list[Rejected]) -> list[tuple[str, str]]:
    return [(reject.name, reject.kind) for reject in rejected]


def empty(name: str, number: int) -> Photo:
    return Photo(name, None, jpeg(number), empty=True)


def test_an_unlabelled_photo_is_rejected_unless_it_is_to_be_kept(tmp_path: Path) -> None:
    new = Photo("new.jpg", None, jpeg(70))
    version, rejected = made(tmp_path, new, cleaning=CleaningConfig())
    assert kinds(rejected) == [("new.jpg", "unlabelled")]
    assert len(version.unlabelled()) == 0
    version, rejected = made(tmp_path, new)
    assert rejected == []
    assert version.unlabelled().column("source") == ["mine/new.jpg"]


def test_an_empty_image_is_kept_in_any_case(tmp_path: Path) -> None:
    version, rejected = made(tmp_path, empty("belt.jpg", 70), cleaning=CleaningConfig())
    assert rejected == []
    assert version.negatives().column("source") == ["mine/belt.jpg"]


@pytest.mark.parametrize("photo", [empty("bad.jpg", 0), Photo("bad.jpg", None, b"")], ids=["empty", "unlabelled"])
def test_a_broken_image_without_a_label_is_broken(tmp_path: Path, photo: Photo) -> None:
    broken = Photo(photo.name, None, b"", empty=photo.empty)
    _, rejected = made(tmp_path, broken, cleaning=KEEP.model_copy(update={"max_rejected_share": 1.0}))
    assert kinds(rejected) == [("bad.jpg", "broken")]
    assert rejected[0].reason.startswith("bad.jpg is empty (0 bytes)")


def test_an_image_without_a_label_that_is_there_twice_is_kept_once(tmp_path: Path) -> None:
    copies = [Photo("new.jpg", None, jpeg(70)), Photo("copy.jpg", None, jpeg(70))]
    version, rejected = made(tmp_path, *copies, empty("belt.jpg", 71), empty("belt copy.jpg", 71))
    assert kinds(rejected) == [("copy.jpg", "duplicate"), ("belt copy.jpg", "duplicate")]
    assert (len(version.unlabelled()), len(version.negatives())) == (1, 1)


def test_a_picture_that_somebody_labelled_is_not_unlabelled_as_well(tmp_path: Path) -> None:
    given = [Photo("a.jpg", None, jpeg(0)), Photo("b.jpg", None, jpeg(71)), empty("belt.jpg", 71)]
    version, rejected = made(tmp_path, *given)
    assert kinds(rejected) == [("a.jpg", "duplicate"), ("b.jpg", "duplicate")]
    assert rejected[0].reason == "a.jpg is the same picture as c00/0.jpg."
    assert len(version.unlabelled()) == 0


@pytest.mark.parametrize("box", [None, BOX])
def test_a_picture_that_is_empty_for_one_and_not_for_another_is_a_conflict(
    tmp_path: Path, box: tuple[float, float, float, float] | None
) -> None:
    thing = Photo("seen.jpg", "c01", jpeg(70), box)
    version, rejected = made(tmp_path, empty("belt.jpg", 70), thing)
    assert kinds(rejected) == [("belt.jpg", "conflict"), ("seen.jpg", "conflict")]
    assert "belt.jpg is said to be empty, and seen.jpg" in rejected[0].reason
    assert (len(version), len(version.negatives())) == (30, 0)
    name = "seen.jpg" if box is None else "seen.jpg@0,0,10,10"
    decided = KEEP.model_copy(update={"decisions": {name: "c01"}})
    version, rejected = made(tmp_path, empty("belt.jpg", 70), thing, cleaning=decided)
    assert kinds(rejected) == [("belt.jpg", "duplicate")]
    assert len(version) == 31


def test_a_decision_for_another_label_takes_the_provenance_of_the_first(tmp_path: Path) -> None:
    from discern.sources.base import Provenance

    photo = Photo("seen.jpg", "c01", jpeg(70), provenance=Provenance(labelled_by="ann", label_method="annotation"))
    version, _ = made(tmp_path, photo, cleaning=CleaningConfig(decisions={"seen.jpg": "c02"}))
    assert (version.column("label")[-1], version.column("labelled_by")[-1]) == ("c02", None)
    version, _ = made(tmp_path, photo, cleaning=CleaningConfig(decisions={"seen.jpg": "c01"}))
    assert (version.column("label")[-1], version.column("labelled_by")[-1]) == ("c01", "ann")


def smaller(data: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).resize((72, 72), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def test_an_empty_image_is_a_near_duplicate_of_any_picture_like_it_and_no_conflict(tmp_path: Path) -> None:
    config = PillsConfig(families=10, siblings=1, photos_per_class=3, size=96, seed=2)
    given = list(PillSource(config, workers=1).photos())
    near = [Photo(f"belt/{i}.jpg", None, smaller(given[3 * i].load()), empty=True) for i in range(10)]
    version, rejected = write_version([*given, *near], str(tmp_path))
    assert rejected == []
    split_of = dict(zip(version.column("near_duplicates"), version.column("split"), strict=True))
    negatives = version.negatives()
    assert None not in negatives.column("near_duplicates")
    assert [split_of[name] for name in negatives.column("near_duplicates")] == negatives.column("split")
    assert set(negatives.column("split")) == {"train", "validation", "test"}
    assert set(version.column("lookalike")) == {None}


def pill(colour: str, number: int, width: int = 16) -> bytes:
    """A small thing before the one camera there is."""
    table = np.random.default_rng(1).integers(90, 150, (7, 7, 3), dtype=np.uint8)
    image = Image.fromarray(table).resize((160, 160), Image.Resampling.BICUBIC)
    ImageDraw.Draw(image).ellipse((80 - width, 76, 80 + width, 76 + width), fill=colour)
    grain = np.random.default_rng(number).normal(0, 2, (160, 160, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def test_different_things_before_one_camera_are_neither_copies_nor_a_conflict(tmp_path: Path) -> None:
    colours = ("white", "red", "orange", "black", "blue", "green", "yellow", "violet", "brown", "cyan")
    given = [Photo(f"{colour}/1.jpg", colour, pill(colour, i)) for i, colour in enumerate(colours)]
    version, rejected = made(tmp_path, *given)
    assert rejected == []
    assert version.column("near_duplicates") == [None] * 40
    assert version.column("lookalike") == [None] * 40


def test_a_copy_under_another_label_asks_for_a_decision_and_nobody_is_told_to_delete(tmp_path: Path) -> None:
    given = [Photo("white/1.jpg", "white", pill("white", 1)), Photo("red/1.jpg", "red", pill("white", 2))]
    _, rejected = made(tmp_path, *given)
    assert kinds(rejected) == [("white/1.jpg", "conflict"), ("red/1.jpg", "conflict")]
    assert rejected[0].reason == rejected[1].reason
    assert rejected[0].reason.startswith("white/1.jpg ('white') and red/1.jpg ('red') look like one picture")
    assert "cleaning.decisions" in rejected[0].reason
    assert "delete" not in rejected[0].reason
    both = KEEP.model_copy(update={"decisions": {"white/1.jpg": "white", "red/1.jpg": "red"}})
    version, rejected = made(tmp_path, *given, cleaning=both)
    assert rejected == []
    assert len(version) == 32
