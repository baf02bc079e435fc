from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from discern.errors import DataError
from discern.sources.files.local import FolderTree
from discern.sources.files.open import open_tree
from discern.sources.files.tree import READ_LIMIT


def test_files_are_sorted_and_read_up_to_a_limit(tmp_path: Path) -> None:
    deep = "/".join("d" * 40)
    for path in ("b/2.jpg", "b/1.jpg", "a.txt", f"{deep}/1.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
    tree = open_tree(str(tmp_path))
    assert tree.files == ("a.txt", "b/1.jpg", "b/2.jpg", f"{deep}/1.jpg")
    assert tree.read(f"{deep}/1.jpg") == f"{deep}/1.jpg".encode()
    assert tree.read("b/1.jpg", 3) == b"b/1"
    facts = (tmp_path / "a.txt").stat()
    assert tree.stamp("a.txt") == f"5 {facts.st_mtime_ns} {facts.st_ctime_ns}"


def test_a_file_that_changed_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    tree = open_tree(str(tmp_path))
    (tmp_path / "a").write_bytes(b"three")
    with pytest.raises(DataError, match="/a changed after it was listed: wait until nothing writes there"):
        tree.read("a")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.jpg")
    with pytest.raises(DataError, match=r"/1\.jpg is a pipe, a socket or a device: remove it"):
        open_tree(str(tmp_path))


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).touch()
    with pytest.raises(DataError, match=r"is not UTF-8: rename it") as caught:
        open_tree(str(tmp_path))
    str(caught.value).encode()


def test_a_folder_that_goes_away_is_named(tmp_path: Path) -> None:
    tree = open_tree(str(tmp_path))
    (tmp_path / "x").mkdir()
    (tmp_path / "x").rmdir()
    with pytest.raises(DataError, match=r"/x cannot be read \(No such file or directory\)"):
        FolderTree(tmp_path / "x")
    assert tree.files == ()


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_anywhere_in_an_archive_is_one_sentence(tmp_path: Path, packing: int) -> None:
    path = tmp_path / "a.zip"
    content = os.urandom(200)
    with zipfile.ZipFile(path, "w", packing) as file:
        file.writestr("1.jpg", content)
    data = path.read_bytes()
    assert open_tree(str(path)).read("1.jpg", READ_LIMIT) == content
    sentences = []
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            tree = open_tree(str(path))
            assert [tree.read(name) for name in tree.files] in ([content], [])
        except DataError as error:
            sentences.append(str(error))
    assert len(sentences) > 200  # every byte of the content, at least
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences)
