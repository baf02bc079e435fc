"""Small data sets in the layouts that labelling tools write, for the tests of their sources."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from discern.data.photos import Photo
from discern.data.sources import SourceConfig, open_source
from discern.errors import DataError
from edge_runtime.images import Box

Files = Mapping[str, bytes | str]


def plant(root: Path, files: Files) -> Path:
    """Write files below a folder; text as UTF-8."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def pack(archive: Path, files: Files, top: str = "") -> Path:
    """Write files into an archive, below `top`."""
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(top + name, content)
    return archive


def said(photos: Sequence[Photo]) -> list[tuple[str, str | None, Box | None]]:
    """What is in which photo, where."""
    return [(photo.name, photo.label, photo.box) for photo in photos]


def sentence(error: DataError) -> str:
    """The message, which must be one sentence."""
    message = str(error)
    assert "\n" not in message
    assert message.endswith(".")
    return message


AWKWARD_LABELS = ("../x", "a/b", "Scratch", "scratch", "scratch ", "con", "=1+1", "\u03b1 \U0001f48a")
UNFIT_LABELS = ("bell\a", "null\0", "line\u2028break", "x" * 201)
"""What every source keeps as it is, and what every source refuses; blanks differ from source to source."""


def listed(kind: str, path: Path, **settings: Any) -> list[Photo]:
    """The photos of a source of this kind."""
    source = open_source(
        TypeAdapter[SourceConfig](SourceConfig).validate_python({"kind": kind, "path": str(path), **settings})
    )
    found = list(source.photos())
    assert len(source) == len(found)
    return found


def complaint_of(
    kind: str, files: Files, tmp_path: Path, changes: Mapping[str, bytes | str | None], **settings: Any
) -> str:
    """What a source says of a small data set after some of its files were changed, or removed by None."""
    left = {name: content for name, content in {**files, **changes}.items() if content is not None}
    with pytest.raises(DataError) as caught:
        listed(kind, plant(tmp_path / kind, left), **settings)
    return sentence(caught.value)
