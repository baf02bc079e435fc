"""Zip archives of systems that write names in encodings of their own."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from discern.errors import DataError
from discern.sources.base import Source
from discern.sources.registry import FolderConfig, open_source, read_source_config
from tests.discern.pictures import jpeg
from tests.discern.sources.layouts import sentence

CYRILLIC = ("\u0413\u0410\u0419\u041a\u0410", "\u0431\u043e\u043b\u0442")  # a nut, in capitals, and a bolt
CHINESE = ("\u87ba\u6bcd", "\u87ba\u6813")
JAPANESE = ("\u30cd\u30b8", "\u30dc\u30eb\u30c8\u30bd")  # its last letter holds the byte of a backslash
GERMAN = ("Schl\u00fcssel", "Gr\u00f6\u00dfe")


def packed(archive: Path, labels: tuple[str, ...], encoding: str, extra: bool = False) -> str:
    """An archive whose names do not say their encoding."""
    with zipfile.ZipFile(archive, "w") as file:
        for number, label in enumerate(labels):
            for photo in range(2):
                name = f"{label}/{photo}.jpg"
                raw = name.encode(encoding)
                info = zipfile.ZipInfo("x" * len(raw))  # of the same length, so that it can be replaced below
                if extra:
                    field = b"\1" + struct.pack("<I", zlib.crc32(raw)) + name.encode()
                    info.extra = struct.pack("<HH", 0x7075, len(field)) + field
                info.filename = f"{number}{photo}".ljust(len(raw), "~")
                file.writestr(info, jpeg(2 * number + photo))
    data = archive.read_bytes()
    for number, label in enumerate(labels):
        for photo in range(2):
            raw = f"{label}/{photo}.jpg".encode(encoding)
            data = data.replace(f"{number}{photo}".ljust(len(raw), "~").encode(), raw)
    archive.write_bytes(data)
    return str(archive)


def opened(path: str, encoding: str | None = None) -> Source:
    return open_source(FolderConfig(path=path, encoding=encoding))


def labels_of(source: Source) -> set[str | None]:
    assert [len(photo.load()) > 0 for photo in source.photos()] == [True] * 4
    return {photo.label for photo in source.photos()}


@pytest.mark.parametrize("labels", [CYRILLIC, CHINESE, JAPANESE, GERMAN])
def test_utf_8_without_its_flag_is_read(tmp_path: Path, labels: tuple[str, ...]) -> None:
    assert labels_of(opened(packed(tmp_path / "a.zip", labels, "utf-8"))) == set(labels)


@pytest.mark.parametrize(
    ("labels", "encoding"), [(CYRILLIC, "cp866"), (CHINESE, "gb18030"), (JAPANESE, "cp932"), (GERMAN, "cp850")]
)
def test_the_unicode_path_beside_a_name_counts(tmp_path: Path, labels: tuple[str, ...], encoding: str) -> None:
    assert labels_of(opened(packed(tmp_path / "a.zip", labels, encoding, extra=True))) == set(labels)


def test_latin_names_are_read_as_the_format_says(tmp_path: Path) -> None:
    assert labels_of(opened(packed(tmp_path / "a.zip", GERMAN, "cp437"))) == set(GERMAN)


@pytest.mark.parametrize(
    ("labels", "encoding"),
    [
        (CYRILLIC, "cp866"), (CYRILLIC, "cp1251"), (CYRILLIC[:1] * 1 + ("\u0411\u041e\u041b\u0422",), "cp866"),
        (CHINESE, "gb18030"), (JAPANESE, "cp932"), (GERMAN, "cp1252"),
    ],
)  # fmt: skip
def test_other_names_are_read_as_somebody_says(tmp_path: Path, labels: tuple[str, ...], encoding: str) -> None:
    path = packed(tmp_path / "a.zip", labels, encoding)
    with pytest.raises(DataError) as caught:
        opened(path)
    said = sentence(caught.value)
    assert "a.zip does not say how its names are written: set encoding to what reads them rightly" in said
    assert f"{encoding} reads '{labels[0]}/0.jpg'" in said
    assert labels_of(opened(path, encoding)) == set(labels)


def test_a_wrong_encoding_is_one_sentence(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", GERMAN, "cp1252")
    for encoding in ("utf-8", "utf8mb4"):
        with pytest.raises(DataError, match=f"holds names that are not {encoding} .*: set encoding to theirs"):
            opened(path, encoding)


def plain_archive(archive: Path, files: dict[str, bytes], encoding: str) -> str:
    """An archive of files whose names do not say their encoding."""
    raw = {f"{number:03}".ljust(len(name.encode(encoding)), "~"): name for number, name in enumerate(files)}
    with zipfile.ZipFile(archive, "w") as file:
        for stand_in, name in raw.items():
            file.writestr(stand_in, files[name])
    data = archive.read_bytes()
    for stand_in, name in raw.items():
        data = data.replace(stand_in.encode(), name.encode(encoding))
    archive.write_bytes(data)
    return str(archive)


def test_annotated_sets_are_told_the_encoding_too(tmp_path: Path) -> None:
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    xml = f"<annotation><object><name>{CHINESE[0]}</name>{box}</object></annotation>".encode()
    voc = {f"Annotations/{CHINESE[1]}.xml": xml, f"JPEGImages/{CHINESE[1]}.jpg": jpeg(1)}
    table = {"labels.csv": f"path,label\n{CHINESE[1]}.jpg,{CHINESE[0]}\n".encode(), f"{CHINESE[1]}.jpg": jpeg(1)}
    yolo = {
        "data.yaml": f"train: images\nnames: [{CHINESE[0]}]".encode(),
        f"images/{CHINESE[1]}.jpg": jpeg(1),
        f"labels/{CHINESE[1]}.txt": b"0 .5 .5 .5 .5",
    }
    for kind, files in {"voc": voc, "table": table, "yolo": yolo}.items():
        path = plain_archive(tmp_path / f"{kind}.zip", files, "gb18030")
        source = open_source(read_source_config({"kind": kind, "path": path, "encoding": "gb18030"}))
        (photo,) = source.photos()
        assert (photo.label, photo.name.endswith(f"{CHINESE[1]}.jpg")) == (CHINESE[0], True)
