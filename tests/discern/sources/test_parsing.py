from __future__ import annotations

from pathlib import Path

import pytest

from discern.errors import DataError
from discern.sources.base import StatedSize
from discern.sources.files.open import open_tree
from discern.sources.parsing import LARGE, SMALL, is_yes, number, pixels, read_text, read_whole, stated_size
from tests.discern.sources.layouts import plant


def test_text_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    tree = open_tree(str(plant(tmp_path, {"a.txt": "\ufeffgr\u00fcn\r\n", "b.txt": b"gr\xfcn"})))
    assert read_text(tree, "a.txt") == "gr\u00fcn\r\n"
    with pytest.raises(DataError, match=r"b\.txt in .* is not UTF-8 text: save it as UTF-8"):
        read_text(tree, "b.txt")


@pytest.mark.parametrize(
    ("data", "likely"),
    [
        ("gr\u00fcn".encode("latin-1"), r"its byte 3 is 0xfc, which is '\u00fc' in Latin-1 and Windows-1252"),
        ("gr\u00fcn".encode("cp437"), "its byte 3 is 0x81"),
    ],
)
def test_another_encoding_is_named(tmp_path: Path, data: bytes, likely: str) -> None:
    with pytest.raises(DataError, match=rf"is not UTF-8 text: save it as UTF-8 \({likely}\)\.$"):
        read_text(open_tree(str(plant(tmp_path, {"a.txt": data}))), "a.txt")


def test_marks_that_are_set() -> None:
    assert all(map(is_yes, ("1", "true", "True", " YES ", "1.0", "y")))
    assert not any(map(is_yes, ("0", "false", "", None, "no", "0.0", "maybe")))


@pytest.mark.parametrize("width", [0, -1, None, "", "many", True, float("nan"), float("inf"), [24], 1e300])
def test_a_size_that_is_none_is_not_stated(width: object) -> None:
    assert stated_size(width, 24) is stated_size(24, width) is None


def test_a_size_is_a_number_or_its_text() -> None:
    assert stated_size(" 24 ", 48.0) == StatedSize(24, 48)
    assert stated_size(24, 48, "6") == StatedSize(24, 48, 6)
    assert stated_size(24, 48, "9") == StatedSize(24, 48)


def test_a_file_too_large_is_refused_rather_than_cut(tmp_path: Path) -> None:
    tree = open_tree(str(plant(tmp_path, {"a.txt": "12345678"})))
    assert read_whole(tree, "a.txt", 8) == b"12345678"
    with pytest.raises(DataError, match=r"a\.txt in .* has more than 7 bytes: split it into smaller files"):
        read_text(tree, "a.txt", 7)


def test_a_photos_labels_are_smaller_than_all_labels(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(SMALL + 1)
    tree = open_tree(str(tmp_path))
    with pytest.raises(DataError, match=r"a\.txt in .* has more than 33,554,432 bytes"):
        read_text(tree, "a.txt")
    assert len(read_whole(tree, "a.txt", LARGE)) == SMALL + 1


@pytest.mark.parametrize(("text", "value"), [("3", 3), (" -0.5\t", -0.5), (".5", 0.5), ("5.", 5), ("+1e-3", 0.001)])
def test_numbers(text: str, value: float) -> None:
    assert number(text, "here") == value


@pytest.mark.parametrize(
    "text", ["", " ", "nan", "inf", "-Infinity", "1e999", "1_000", "1,5", "0x10", "\u0663", "1 2", "."]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(DataError, match=r"line 3 of a\.txt has .* where a number belongs"):
        number(text, "line 3 of a.txt")


def test_sums_are_rounded() -> None:
    assert [pixels(x) for x in (10.1 + 0.2, 3, 1 / 3)] == [10.3, 3, 0.333333]
    assert str(pixels(-1e-9)) == "0.0"
