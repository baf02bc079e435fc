from __future__ import annotations

from pathlib import Path

import pytest

from discern.sources.files.open import open_tree
from discern.sources.paths import Finder, file_at, folder_at, folder_of, images_below, is_image, roots, stem, top_folder
from tests.discern.sources.layouts import pack, plant


def test_what_is_meant_as_a_photo() -> None:
    assert all(is_image(path) for path in ("a.jpg", "b/c.JPEG", "x.y/z.png", "phone.HEIC", "..tif"))
    assert not any(is_image(path) for path in ("jpg", "a.jpg.txt", "b.jpg/readme", "a.xml", ""))


def test_images_below_a_folder(tmp_path: Path) -> None:
    tree = open_tree(
        str(plant(tmp_path, dict.fromkeys(("b.jpg", "in/a.jpg", "in/a.txt", "in/x/c.png", "inn/d.jpg"), "x")))
    )
    assert images_below(tree) == ["b.jpg", "in/a.jpg", "in/x/c.png", "inn/d.jpg"]
    assert images_below(tree, "in/") == ["in/a.jpg", "in/x/c.png"]


def test_what_lies_before_a_folder() -> None:
    assert roots(["a/in/1", "a/in/x/in/2", "in/3", "b/c/in/4", "in", "a/inn/5"], "in") == ["", "a/", "b/c/"]
    assert roots(["a/b"], "in") == []


def test_only_an_archive_has_a_top_folder(tmp_path: Path) -> None:
    files = {"shop/a.jpg": "x", "shop/b/c.jpg": "x"}
    packed, plain = open_tree(str(pack(tmp_path / "a.zip", files))), open_tree(str(plant(tmp_path / "shop", files)))
    assert top_folder(packed, packed.files) == "shop/"
    assert top_folder(plain, plain.files) == ""
    assert top_folder(packed, [*packed.files, "other/a.jpg"]) == ""
    assert top_folder(packed, ["a.jpg"]) == ""
    assert top_folder(packed, []) == ""


def test_settings_may_pass_over_the_top_folder_of_an_archive(tmp_path: Path) -> None:
    tree = open_tree(str(pack(tmp_path / "a.zip", {"set/in/a.jpg": "x", "set/b.csv": "x", "set/set/c.csv": "x"})))
    assert [file_at(tree, path) for path in ("b.csv", "./set/b.csv", "c.csv", "set/c.csv", "../set/b.csv")] == [
        "set/b.csv",
        "set/b.csv",
        None,
        "set/set/c.csv",
        None,
    ]
    folders = ("in", "set/in/", "/in/", "./in", ".", "..", "out")
    assert [folder_at(tree, folder) for folder in folders] == [
        *["set/in/"] * 4,
        "",
        "../",
        "out/",
    ]


@pytest.mark.parametrize(
    ("path", "folder", "bare"),
    [("a/b.c/d.jpg", "a/b.c/", "a/b.c/d"), ("d.tar.gz", "", "d.tar"), ("a.b/c", "a.b/", "a.b/c")],
)
def test_parts_of_a_path(path: str, folder: str, bare: str) -> None:
    assert (folder_of(path), stem(path)) == (folder, bare)


def test_a_file_is_found_by_its_path_alone() -> None:
    finder = Finder(["a/1.jpg", "b/1.jpg", "2.jpg"])
    assert finder.exact("a/1.jpg") == "a/1.jpg"
    assert finder.exact("./2.jpg") == "2.jpg"
    assert finder.exact("./1.jpg", "a/") == "a/1.jpg"
    for path in ("1.jpg", "A/1.jpg", "a/../2.jpg", "/2.jpg", "../2.jpg", "a//1.jpg", ""):
        assert finder.exact(path) is None


def test_backslashes_part_folders_where_no_name_has_them() -> None:
    finder = Finder(["a/b/1.jpg", "a\\2.jpg"])
    assert finder.exact("a\\b\\1.jpg") == "a/b/1.jpg"
    assert finder.exact(".\\b\\1.jpg", "a/") == "a/b/1.jpg"
    assert finder.exact("a\\2.jpg") == "a\\2.jpg"
    assert finder.exact("..\\a\\b\\1.jpg") is None
    assert finder.like("b\\1.jpg") == ["a/b/1.jpg"]


def test_an_absolute_path_means_the_file_that_it_ends_with() -> None:
    finder = Finder(["a/1.jpg", "b/1.jpg", "b/2.jpg"])
    assert finder.at_end_of("/home/ann/set/a/1.jpg") == "a/1.jpg"
    assert finder.at_end_of("D:\\set\\b\\1.jpg") == "b/1.jpg"
    assert finder.at_end_of("/elsewhere/2.jpg") == "b/2.jpg"
    assert finder.at_end_of("/elsewhere/1.jpg") is None
    assert finder.at_end_of("/elsewhere/3.jpg") is None


def test_a_composed_name_finds_a_decomposed_file_and_the_reverse() -> None:
    finder = Finder(["Mu\u0308nze.jpg", "caf\u00e9/1.jpg"])
    assert finder.exact("M\u00fcnze.jpg") == "Mu\u0308nze.jpg"
    assert finder.exact("cafe\u0301/1.jpg") == "caf\u00e9/1.jpg"
    assert finder.like("M\u00fcnze.jpg") == ["Mu\u0308nze.jpg"]


def test_a_file_is_found_by_more_and_more_of_its_name() -> None:
    finder = Finder(["1.jpg", "data/a/1.jpg", "data/b/1.jpg", "data/b/2.jpg", "data/bb/3.jpg"])
    assert finder.like("1.jpg") == ["1.jpg"]
    assert finder.like("a/1.jpg") == ["data/a/1.jpg"]
    assert finder.like("./b/2.jpg") == ["data/b/2.jpg"]
    assert finder.like("b/3.jpg") == ["data/bb/3.jpg"]  # by its base name
    assert finder.like("/home/ann/2.jpg") == ["data/b/2.jpg"]
    assert finder.like("C:\\photos\\2.jpg") == ["data/b/2.jpg"]
    assert finder.like("c/1.jpg") == ["1.jpg", "data/a/1.jpg", "data/b/1.jpg"]
    assert finder.like("4.jpg") == []
    assert finder.like("../../etc/passwd") == []
    assert finder.like("") == []
