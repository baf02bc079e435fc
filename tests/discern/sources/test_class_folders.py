from __future__ import annotations

import pytest

from discern.sources.class_folders import Place, places, problems, split_of_folder, top_of


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"), ("Training", "train"), ("train2017", "train"), ("train_images", "train"),
        ("training-set", "train"), ("val", "validation"), ("VALID", "validation"), ("dev", "validation"),
        ("test", "test"), ("Testing", "test"), ("test set", "test"), ("Test_Data", "test"),
        ("nut", None), ("test tube", None), ("images", None), ("2017", None), ("trainer", None), ("", None),
        ("train-1", None), ("test3", None),
    ],
)  # fmt: skip
def test_what_folder_is_named_like_a_split(name: str, split: str | None) -> None:
    assert split_of_folder(name) == split


def said(*images: str, is_archive: bool = False, split_folders: bool = True) -> set[tuple[str | None, str | None]]:
    found = places(sorted(images), is_archive=is_archive, split_folders=split_folders)
    return {(place.label, place.split) for place in found}


def test_splits_stand_above_the_classes_or_inside_each() -> None:
    expected = {("nut", "train"), ("bolt", "test")}
    assert said("train/nut/1.jpg", "test/bolt/1.jpg") == expected
    assert said("nut/train/1.jpg", "bolt/test/1.jpg") == expected
    assert said("images/train/nut/1.jpg", "images/test/bolt/1.jpg") == expected
    assert said("train/images/nut/1.jpg", "test/images/bolt/1.jpg") == expected
    assert said("train/nut/front/1.jpg", "test/bolt/back/1.jpg") == expected
    assert said("shop/data/train/nut/1.jpg", "shop/data/test/bolt/1.jpg", is_archive=True) == expected


def test_a_contests_test_photos_have_no_label() -> None:
    assert said("train/nut/1.jpg", "train/bolt/1.jpg", "test/1.jpg") == {
        ("nut", "train"),
        ("bolt", "train"),
        (None, None),
    }


def test_one_split_alone_splits_nothing() -> None:
    assert said("train/nut/1.jpg", "train/bolt/1.jpg") == {("nut", None), ("bolt", None)}


def test_folders_that_name_nothing_are_passed_over() -> None:
    assert said("dataset/images/nut/1.jpg", "dataset/images/bolt/1.jpg") == {("nut", None), ("bolt", None)}
    assert top_of(["shop/nut/1.jpg", "shop/bolt/1.jpg"], is_archive=True) == "shop/"
    assert top_of(["shop/nut/1.jpg", "shop/bolt/1.jpg"], is_archive=False) == ""
    assert top_of(["images/1.jpg", "images/2.jpg"], is_archive=True) == ""


def test_folders_named_like_splits_are_classes_where_somebody_says_so() -> None:
    images = ("train/1.jpg", "car/1.jpg")
    assert said(*images, split_folders=False) == {("train", None), ("car", None)}
    assert places(["train/a/1.jpg", "test/b/1.jpg"], is_archive=False, split_folders=False)[0] == Place(
        "train/a/1.jpg", "train"
    )


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (["bolt/1.jpg", "nut/1.jpg", "test/1.jpg"], "named like a split, beside the folders bolt, nut"),
        (["bolt/1.jpg", "train/a/1.jpg", "test/a/1.jpg"], "the folders test, train, named like a split, beside"),
        (["test/1.jpg", "train/1.jpg"], "named like a split, and no class folders inside: put a folder for each class"),
    ],
)
def test_what_may_be_either_is_refused_with_the_setting(images: list[str], says: str) -> None:
    (sentence,) = problems(images, images, "shop", is_archive=False)
    assert says in sentence
    assert sentence.endswith("classes.")
    assert "set split_folders to false" in sentence


def test_a_photo_beside_the_splits_is_loose() -> None:
    images = [f"{split}/{label}/{number}.jpg" for split in ("train", "test") for label in "ab" for number in (1, 2)]
    (sentence,) = problems([*images, "stray.jpg"], [*images, "stray.jpg"], "shop", is_archive=False)
    assert sentence.startswith("stray.jpg in shop lies beside the class folders: move it")
