from __future__ import annotations

import io

import pytest
from PIL import Image

from edge_runtime.core.file_kinds import HEAD, extension, is_raw, looks_like_a_photo, unread_kind
from edge_runtime.core.images import FORMATS
from tests.edge_runtime.core import heic


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in {"HEIF", "PPM"}])
def test_a_picture_is_seen_by_its_first_bytes(kind: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200)).save(buffer, kind)
    assert looks_like_a_photo(buffer.getvalue()[:HEAD])


@pytest.mark.parametrize(
    "head", [heic.PLAIN[:HEAD], b"FUJIFILMCCD-RAW", b"\xff\x0a" + bytes(20), b"II*\0\x10\0\0\0CR\2\0"]
)
def test_so_is_one_that_is_not_read(head: bytes) -> None:
    assert looks_like_a_photo(head)


@pytest.mark.parametrize(
    "head",
    [b"", b"All rights reserved", b"#!/bin/sh", b"BM is how this text begins", b"\0\0\0\x20ftypmp42", b"\x7fELF"],
)
def test_other_files_are_none(head: bytes) -> None:
    assert not looks_like_a_photo(head)


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"nothing", "a/IMG_1.ARW", "camera raw"),
        (b"nothing", "a.b/IMG_1", None),
        (b"nothing", "IMG_1.jxl", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "IMG_1.jpg", "JPEG 2000"),
        (b"\0\0\0\x20ftypqt  ", "IMG_1.jpg", "a video"),
        (b"/annex/objects/SHA256E-s1--ab.jpg", "IMG_1.jpg", "git-annex"),
        (b"bplist00", ".IMG_1.jpg.icloud", "iCloud"),
    ],
)
def test_a_file_that_is_not_read_is_named(data: bytes, name: str, words: str | None) -> None:
    kind = unread_kind(data, name)
    assert (kind is None) if words is None else (kind is not None and words in kind.words)


def test_what_a_name_says() -> None:
    assert [extension(name) for name in ("a.JPG", "a", "b.c/a", ".hidden", "a.tar.gz", "")] == [
        ".jpg",
        "",
        "",
        "",
        ".gz",
        "",
    ]
    assert is_raw(b"", "IMG_1.Nef")
    assert not is_raw(b"II*\0", "IMG_1.tif")
