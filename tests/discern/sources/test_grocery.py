"""The Grocery Store Dataset's two protocols, on a small data set in its layout."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from discern.errors import DataError
from discern.sources.base import Photo
from discern.sources.grocery import HELD_OUT_SPLITS, coarse_classes
from discern.sources.registry import GroceryConfig, open_source
from tests.discern.sources.layouts import grocery, plant

CLASSES = [("Apple", f"Apple-{i}") for i in range(4)] + [("Milk", f"Milk-{i}") for i in range(3)] + [("Kiwi", "Kiwi")]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """8 fine classes of 3 coarse ones; 5 train, 1 val and 3 test photos and a catalogue picture each."""
    return plant(tmp_path / "grocery", grocery(CLASSES))


def photos(path: Path, **settings: object) -> list[Photo]:
    source = open_source(GroceryConfig.model_validate({"path": str(path), **settings}))
    found = list(source.photos())
    assert len(source) == len(found)
    return found


def sides(found: list[Photo]) -> Counter[tuple[str | None, str | None]]:
    return Counter((photo.split, photo.role) for photo in found)


def test_the_closed_set_follows_the_official_lists(dataset: Path) -> None:
    found = photos(dataset)
    assert sides(found) == {("train", "gallery"): 40, ("validation", "query"): 8, ("test", "query"): 24}
    assert {photo.label for photo in found} == {label for _, label in CLASSES}
    assert found[0].name == "train/Apple-0/Apple-0_0.jpg"
    assert found[0].load() == (dataset / found[0].name).read_bytes()


def test_an_archive_with_a_top_folder_gives_the_same(dataset: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for path in sorted(dataset.rglob("*")):
            file.write(path, f"top/dataset/{path.relative_to(dataset)}")
    packed = photos(tmp_path / "a.zip", heldout_classes=4)
    plain = photos(dataset, heldout_classes=4)
    assert [(one.label, one.load(), one.split, one.role) for one in packed] == [
        (one.label, one.load(), one.split, one.role) for one in plain
    ]


@pytest.mark.parametrize("seed", range(5))
def test_held_out_classes_never_train(dataset: Path, seed: int) -> None:
    found = photos(dataset, heldout_classes=4, unknowns=2, seed=seed)
    trained = {photo.label for photo in found if photo.split == "train"}
    heldout = {label for _, label in CLASSES} - trained
    assert len(heldout) == 4
    assert sides(found) == {
        ("train", "gallery"): 4 * 5,
        ("test", "query"): 4 * 3 + 2 * 3,  # of the known classes, and of those held out for the test
        ("validation", "query"): 2 * 3,
        ("test", "gallery"): 1,
        ("validation", "gallery"): 1,
    }
    enrolled = {photo.label for photo in found if photo.role == "gallery" and photo.split != "train"}
    assert len(enrolled) == 2
    assert all(
        photo.name.startswith("iconic/") for photo in found if photo.label in enrolled and photo.role == "gallery"
    )
    for split in HELD_OUT_SPLITS:  # each has an enrolled class and an unknown
        labels = {photo.label for photo in found if photo.split == split} - trained
        assert len(labels & enrolled) == 1
        assert len(labels - enrolled) == 1
    coarse = {name for name, label in CLASSES if label in heldout}
    assert coarse == {"Apple", "Milk", "Kiwi"}


@pytest.mark.parametrize(("catalogue", "each"), [(False, 3), (True, 4)])
def test_shots_come_from_the_training_list(dataset: Path, catalogue: bool, each: int) -> None:
    found = photos(dataset, heldout_classes=4, shots=3, catalogue=catalogue)
    gallery = [photo for photo in found if photo.role == "gallery" and photo.split != "train"]
    assert set(Counter(photo.label for photo in gallery).values()) == {each}
    assert sum(photo.name.startswith("iconic/") for photo in gallery) == (4 if catalogue else 0)
    assert sum(photo.name.startswith("train/") for photo in gallery) == 12


def test_the_seed_decides_who_is_held_out(dataset: Path) -> None:
    drawn = {
        frozenset(photo.label for photo in photos(dataset, heldout_classes=4, seed=seed) if photo.split == "train")
        for seed in range(6)
    }
    assert len(drawn) > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"heldout_classes": 4, "unknowns": 4},
        {"unknowns": 1},
        {"heldout_classes": 1},
        {"heldout_classes": 4, "catalogue": False},
        {"heldout": 4},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GroceryConfig.model_validate({"path": "x", **settings})


def test_too_many_held_out_classes_are_one_sentence(dataset: Path) -> None:
    with pytest.raises(DataError, match="heldout_classes is 7 of 8 classes, and two must remain"):
        photos(dataset, heldout_classes=7)


def test_more_shots_than_photos_are_one_sentence(dataset: Path) -> None:
    with pytest.raises(DataError, match=r"has 5 photos in train\.txt: set shots"):
        photos(dataset, heldout_classes=4, shots=6)


def test_a_folder_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no classes\.csv: give the folder or \.zip of the Grocery"):
        photos(tmp_path)


def test_a_missing_photo_is_named_with_its_list(dataset: Path) -> None:
    (dataset / "test/Kiwi/Kiwi_1.jpg").unlink()
    with pytest.raises(DataError, match=r"test/Kiwi/Kiwi_1\.jpg, which line 23 of test\.txt needs, is missing"):
        photos(dataset)


def test_a_missing_list_is_named(dataset: Path) -> None:
    (dataset / "val.txt").unlink()
    with pytest.raises(DataError, match=r"val\.txt, which .*grocery needs, is missing"):
        photos(dataset)


@pytest.mark.parametrize("line", ["train/a.jpg", "train/a.jpg, 99, 0", "train/a.jpg; 1; 0"])
def test_a_line_that_does_not_fit_is_named(dataset: Path, line: str) -> None:
    with (dataset / "train.txt").open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=r"line 41 of train\.txt is not"):
        photos(dataset)


def test_a_short_line_of_the_table_is_named(dataset: Path) -> None:
    with (dataset / "classes.csv").open("a") as file:
        file.write("\nPear,8")
    with pytest.raises(DataError, match=r"line 10 of classes\.csv has 2 of 5 columns"):
        photos(dataset)


def test_a_list_that_is_no_text_is_named(dataset: Path) -> None:
    (dataset / "train.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match=r"train\.txt in .* is not UTF-8 text"):
        photos(dataset)


def test_the_coarse_class_of_every_fine_one(dataset: Path) -> None:
    assert coarse_classes(str(dataset)) == {label: coarse for coarse, label in CLASSES}
