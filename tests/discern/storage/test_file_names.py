"""Names for files and folders that no file system refuses, hides or confuses."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discern.storage.file_names import CUT, MAX_BYTES, UniqueNames, folder_names, safe_name
from tests.discern.sources.layouts import AWKWARD_LABELS

DIGEST = "0123456789abcdef" * 4
text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
plain = st.text("aAbB.% /\u00e9\u00c9e\u0301", min_size=1, max_size=8)


@pytest.mark.parametrize(
    "label", ["nut", "M5 nut, 10 mm (A)", "R\u00f6hrchen", "\u03b1 \U0001f48a", "a.b", "=1+1", "-x"]
)
def test_what_is_safe_stays(label: str) -> None:
    assert safe_name(label) == label


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("../x", "%2E.%2Fx"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        (".hidden", "%2Ehidden"),
        ("a/b", "a%2Fb"),
        ("a\\b", "a%5Cb"),
        ("C:", "C%3A"),
        ("50%", "50%25"),
        ("%2F", "%252F"),
        ("end.", "end%2E"),
        (" blank ", "%20blank%20"),
        ("con", "%63on"),
        ("Aux.tar.gz", "%41ux.tar.gz"),
        ("com1 .x", "%63om1 .x"),
        ("Thumbs.db", "%54humbs.db"),
        ("a\x07\u2028b", "a%07%E2%80%A8b"),
    ],
)
def test_what_is_not_is_encoded_and_comes_back(label: str, name: str) -> None:
    assert safe_name(label) == name
    assert unquote(name, errors="strict") == label


def test_what_is_too_long_is_cut_and_told_apart() -> None:
    one, other = (safe_name("\U0001f48a" * 199 + last) for last in "ab")
    assert one != other
    assert len(one.encode()) <= MAX_BYTES
    assert CUT in one
    assert not any(sign in safe_name("/" * 200)[:-18].replace("%2F", "") for sign in "%/")


def test_only_what_collides_is_written_differently() -> None:
    names = folder_names({"Nut", "nut", "NUT", "Bolt"})
    assert names == {"Nut": "%4Eut", "nut": "nut", "NUT": "%4E%55%54", "Bolt": "Bolt"}


def test_a_label_cannot_take_a_reserved_name() -> None:
    assert folder_names(["Photos.CSV"], reserved=["photos.csv"]) == {"Photos.CSV": "%50hotos.CSV"}


def test_awkward_labels_make_folders(tmp_path: Path) -> None:
    for name in folder_names(AWKWARD_LABELS).values():
        (tmp_path / name).mkdir()
        assert not PureWindowsPath(name).is_reserved()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(folder_names(AWKWARD_LABELS).values())


@given(st.one_of(text, plain))
def test_every_name_is_safe_and_comes_back(label: str) -> None:
    name = safe_name(label)
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not set(name) & set('/\\:*?"<>|\0')
    assert not name.startswith(".")
    assert not name.endswith((".", " "))
    assert CUT in name or unquote(name, errors="strict") == label


def folded(name: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


@given(st.sets(st.one_of(text, plain, st.sampled_from(["con", "CON", "cOn", "%63on"])), max_size=12))
def test_no_two_folders_are_one_on_any_file_system(labels: set[str]) -> None:
    names = folder_names(labels)
    assert len({folded(name) for name in names.values()}) == len(labels)
    assert all(CUT in name or unquote(name) == label for label, name in names.items())


def test_files_of_one_name_are_told_apart_by_their_content() -> None:
    names = UniqueNames()
    assert names.name("IMG_1", ".jpg", DIGEST) == "IMG_1.jpg"
    assert names.name("img_1", ".JPG", DIGEST) == "img_1-01234567.JPG"
    assert names.name("IMG_1", ".jpg", DIGEST) == f"IMG_1-{DIGEST}-1.jpg"
    assert names.name("IMG_1", ".jpg", DIGEST) == f"IMG_1-{DIGEST}-2.jpg"
    assert names.name("..", ".png", DIGEST) == "%2E%2E.png"
    assert len(names.name("x" * 300, ".jpeg", DIGEST)) == MAX_BYTES
