"""Omniglot's two protocols, on a small data set in its layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from discern.errors import DataError
from discern.sources.base import Photo
from discern.sources.omniglot import OmniglotConfig, OmniglotSource
from edge_runtime.core.images import decode
from tests.discern.sources.layouts import OMNIGLOT_BACKGROUND, omniglot, pack, plant, sentence

FILES = omniglot()


def photos(path: Path, **settings: Any) -> list[Photo]:
    source = OmniglotSource(OmniglotConfig.model_validate({"path": str(path), **settings}))
    found = list(source.photos())
    assert source.name == "omniglot"
    assert len(source) == len(found)
    return found


def sides(found: list[Photo]) -> Counter[tuple[str | None, str | None]]:
    return Counter((photo.split, photo.role) for photo in found)


def complaint(tmp_path: Path, changes: Mapping[str, bytes | str | None], **settings: Any) -> str:
    planted = {name: content for name, content in {**FILES, **changes}.items() if content is not None}
    with pytest.raises(DataError) as caught:
        photos(plant(tmp_path / "omniglot", planted), **{"validation_alphabets": 1, **settings})
    return sentence(caught.value)


def test_lake_trains_on_the_background_and_tests_on_the_runs(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "omniglot", FILES), validation_alphabets=1)
    assert sides(found) == {
        ("train", "gallery"): 18,
        ("validation", None): 6,
        ("test", "gallery"): 4,
        ("test", "query"): 4,
    }
    alphabets = {
        split: {photo.name.split("/")[1] for photo in found if photo.split == split}
        for split in ("train", "validation")
    }
    assert alphabets["train"] | alphabets["validation"] == set(OMNIGLOT_BACKGROUND)
    assert not alphabets["train"] & alphabets["validation"]
    assert {photo.label for photo in found if "Angelic" in photo.name} == {"Angelic/character01", "Angelic/character02"}
    assert not any("images_evaluation" in photo.name for photo in found)
    assert {photo.group for photo in found} == {None}
    assert [photo.name for photo in found] == sorted(photo.name for photo in found)
    assert decode(found[0].load()).shape == (16, 16, 3)


def test_a_run_asks_for_its_own_classes(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "omniglot", FILES), validation_alphabets=0)
    runs = {photo.name.removeprefix("one_shot_runs/"): photo.label for photo in found if photo.split == "test"}
    assert runs == {
        "run01/training/class01.png": "run01/class01",
        "run01/training/class02.png": "run01/class02",
        "run01/test/item01.png": "run01/class02",
        "run01/test/item02.png": "run01/class01",
        "run02/training/class01.png": "run02/class01",
        "run02/training/class02.png": "run02/class02",
        "run02/test/item01.png": "run02/class01",
        "run02/test/item02.png": "run02/class02",
    }
    assert sides(found)["validation", None] == 0


def test_the_seed_decides_which_alphabets_validate(tmp_path: Path) -> None:
    root = plant(tmp_path / "omniglot", FILES)
    drawn = [
        frozenset(
            photo.label for photo in photos(root, validation_alphabets=2, seed=seed) if photo.split == "validation"
        )
        for seed in (0, 0, 1, 2, 3, 4)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    fewer = {photo.label for photo in photos(root, validation_alphabets=1) if photo.split == "validation"}
    assert fewer < drawn[0]


def test_vinyals_follows_the_lists(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "omniglot", FILES), protocol="vinyals")
    assert sides(found) == {("train", "gallery"): 9, ("validation", None): 3, ("test", None): 6}
    labels = {
        split: {photo.label for photo in found if photo.split == split} for split in ("train", "validation", "test")
    }
    assert labels == {
        "train": {"Angelic/character01", "Angelic/character02", "ULOG/character01"},
        "validation": {"ULOG/character02"},
        "test": {"Tengwar/character01", "Latin/character02"},
    }


@pytest.mark.parametrize("protocol", ["lake", "vinyals"])
def test_an_archive_with_a_top_folder_gives_the_same(tmp_path: Path, protocol: str) -> None:
    settings = {"protocol": protocol, "validation_alphabets": 1}
    plain = photos(plant(tmp_path / "omniglot", FILES), **settings)
    packed = photos(pack(tmp_path / "a.zip", FILES, "top/set/"), **settings)
    assert [(f"top/set/{one.name}", one.label, one.split, one.role, one.load()) for one in plain] == [
        (one.name, one.label, one.split, one.role, one.load()) for one in packed
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict.fromkeys([name for name in FILES if "background" in name]), "holds no folders named images_background"),
        ({"old/images_background/a/b/c.png": b""}, "holds 2 folders named images_background: give the path of one"),
        ({"images_background/Latin/x.png": b""}, "images_background/Latin/x.png in "),
        ({"images_background/Latin/a/b/x.png": b""}, "images_background/Latin/a/b/x.png in "),
        ({"images_background/Latin/a\nb/x.png": b""}, "has a label with the character U+000A"),
        (dict.fromkeys([name for name in FILES if "runs/" in name]), "holds no images in one_shot_runs/: add the one"),
        ({"one_shot_runs/run02/class_labels.txt": None}, "holds no one_shot_runs/run02/class_labels.txt: restore"),
        ({"one_shot_runs/run02/test/item01.png": None}, "line 1 of one_shot_runs/run02/class_labels.txt is not a test"),
        ({"one_shot_runs/run02/training/class02.png": None}, "line 2 of one_shot_runs/run02/class_labels.txt is not a"),
        (
            {"one_shot_runs/run02/test/item03.png": b""},
            "one_shot_runs/run02/test/item03.png is not in one_shot_runs/run02",
        ),
        ({"one_shot_runs/run02/class_labels.txt": "a b c"}, "line 1 of one_shot_runs/run02/class_labels.txt is not a"),
        (
            {"one_shot_runs/run02/class_labels.txt": "run02/test/item01.png run02/training/class01.png\n" * 2},
            "line 2 of one_shot_runs/run02/class_labels.txt is not a test picture of run02 not named before",
        ),
        (
            {"one_shot_runs/run02/class_labels.txt": "run02/test/item01.png run01/training/class01.png\n"},
            "line 1 of one_shot_runs/run02/class_labels.txt is not a test picture of run02",
        ),
        ({"one_shot_runs/run02/class_labels.txt": b"\xff\xfd"}, "class_labels.txt in "),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_does_not_fit_lake_is_named(tmp_path: Path, changes: dict[str, bytes | str | None], message: str) -> None:
    assert message in complaint(tmp_path, changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits_vinyals/val.txt": None}, "holds no splits_vinyals/val.txt: restore the data set"),
        (
            {"splits_vinyals/val.txt": "\nLatin/character09/rot000"},
            "line 2 of splits_vinyals/val.txt names 'Latin/character09",
        ),
        ({"splits_vinyals/val.txt": "Latin"}, "names 'Latin', a character without pictures"),
        ({"splits_vinyals/val.txt": "../images_background/Latin/character01/0"}, "a character without pictures"),
        (
            {"splits_vinyals/val.txt": "Latin/character02/rot000"},
            "line 5 of splits_vinyals/test.txt names Latin/character02, ",
        ),
        (
            dict.fromkeys([name for name in FILES if "evaluation" in name]),
            "holds no images in images_evaluation/: restore",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_does_not_fit_vinyals_is_named(
    tmp_path: Path, changes: dict[str, bytes | str | None], message: str
) -> None:
    assert message in complaint(tmp_path, changes, protocol="vinyals")


def test_some_alphabets_must_train(tmp_path: Path) -> None:
    message = complaint(tmp_path, {}, validation_alphabets=4)
    assert message == "validation_alphabets is 4 of 4 alphabets, and one must remain to train: lower it."


@pytest.mark.parametrize(
    "settings", [{"protocol": "matching"}, {"validation_alphabets": -1}, {"path": ""}, {"shots": 1}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OmniglotConfig.model_validate({"path": "x", **settings})
