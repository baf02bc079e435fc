from __future__ import annotations

import pytest

from discern.sources.named_files import NamedFiles, Wanted, of_split

FILES = NamedFiles(
    ["1.jpg", "data/a/1.jpg", "data/b/1.jpg", "data/b/2.jpg", "data/bb/3.JPG", "caf\u0065\u0301/4 x.jpg"]
)


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("1.jpg", ["1.jpg"]),
        ("a/1.jpg", ["data/a/1.jpg"]),
        ("./b/2.jpg", ["data/b/2.jpg"]),
        ("b/3.jpg", ["data/bb/3.JPG"]),
        ("/home/ann/2.jpg", ["data/b/2.jpg"]),
        ("/home/ann/B/1.jpg", ["data/b/1.jpg"]),
        ("C:\\photos\\2.jpg", ["data/b/2.jpg"]),
        ("..\\..\\label-studio\\media\\b\\1.jpg", ["data/b/1.jpg"]),
        ("file:///photos/b/1.jpg", ["data/b/1.jpg"]),
        ("s3://bucket/b/1.jpg", ["data/b/1.jpg"]),
        ("https://host/b/1.jpg?signature=x", ["data/b/1.jpg"]),
        ("/data/local-files/?d=photos%2Fb%2F1.jpg", ["data/b/1.jpg"]),
        ("caf%C3%A9/4%20x.jpg", ["caf\u0065\u0301/4 x.jpg"]),
        ("/data/upload/7/0b1c2d3e-4_x.jpg", ["caf\u0065\u0301/4 x.jpg"]),
        ("2.png", ["data/b/2.jpg"]),
        ("c/1.jpg", ["1.jpg", "data/a/1.jpg", "data/b/1.jpg"]),
        ("9.jpg", []),
        ("../../etc/passwd", []),
        ("", []),
        ("..", []),
    ],
)
def test_a_file_is_meant_by_more_and_more_of_its_name(name: str, paths: list[str]) -> None:
    assert FILES.meant(name) == paths


def test_the_annotations_own_folder_comes_first() -> None:
    assert FILES.meant("1.jpg", "data/b/") == ["data/b/1.jpg"]
    assert FILES.meant("../a/1.jpg", "data/b/") == ["data/a/1.jpg"]
    assert FILES.meant("old/1.jpg", "data/b/") == ["data/b/1.jpg"]


def test_a_name_to_the_letter_goes_before_other_capitals() -> None:
    files = NamedFiles(["x/a.jpg", "y/A.jpg", "z/%41.jpg"])
    assert files.meant("a.jpg") == ["x/a.jpg"]
    assert files.meant("A.jpg") == ["y/A.jpg"]
    assert files.meant("%41.jpg") == ["z/%41.jpg"]


def test_below_a_folder_nothing_is_guessed() -> None:
    assert FILES.exact("b\\1.JPG", "data/") == "data/b/1.jpg"
    assert FILES.exact("1.jpg", "data/") is None
    assert FILES.exact("../1.jpg", "data/") is None
    assert "data/b/1.jpg" in FILES
    assert "b/1.jpg" not in FILES


def test_files_of_one_stem_are_told_by_their_folders() -> None:
    files = NamedFiles(["images/x/a.jpg", "images/y/a.jpg", "images/b.png", "images/b.jpg"])
    assert files.of_stem("labels/y/A.txt") == ["images/y/a.jpg"]
    assert files.of_stem("labels/b.txt") == ["images/b.jpg", "images/b.png"]
    assert files.of_stem("labels/c.txt") == []


def test_of_several_files_those_of_the_split_are_meant() -> None:
    paths = ["images/train2017/a.jpg", "images/val2017/a.jpg"]
    assert of_split(paths, "validation") == ["images/val2017/a.jpg"]
    assert of_split(paths, "test") == of_split(paths, None) == paths


def test_a_file_is_anothers_where_a_name_fits_it_better() -> None:
    files = NamedFiles(["cam2/0.jpg", "0b1c2d3e-a.jpg", "c.png"])
    wanted = [Wanted("/home/bob/cam1/0.jpg"), Wanted("/home/bob/cam2/0.jpg")]
    assert files.meant_by_each(wanted) == [[], ["cam2/0.jpg"]]
    assert files.meant_by_each(wanted[:1]) == [["cam2/0.jpg"]], "its base name is all there is"
    wanted = [Wanted("4f5a6b7c-a.jpg"), Wanted("x/0b1c2d3e-a.jpg"), Wanted("c.jpg"), Wanted("c.png")]
    assert files.meant_by_each(wanted) == [[], ["0b1c2d3e-a.jpg"], [], ["c.png"]]


def test_names_that_fit_a_file_alike_mean_none() -> None:
    files = NamedFiles(["in/a.jpg"])
    assert files.meant_by_each([Wanted("x/a.jpg"), Wanted("y/a.jpg")]) == [[], []]
    assert files.meant_by_each([Wanted("./a.jpg"), Wanted("a.jpg")]) == [["in/a.jpg"]] * 2
