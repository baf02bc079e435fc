"""Small data sets in the layouts that labelling tools write, for the tests of their sources."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from discern.data.photos import Photo
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
