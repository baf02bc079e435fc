"""Small data sets in the layouts that labelling tools write, for the tests of their sources."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from discern.errors import DataError
from discern.sources.base import Photo
from discern.sources.registry import SourceConfig, open_source
from edge_runtime.core.images import Box
from tests.discern.pictures import jpeg

Files = Mapping[str, bytes | str]
OMNIGLOT_BACKGROUND = ("Angelic", "Bengali", "N_Ko", "Latin")
OMNIGLOT_EVALUATION = ("ULOG", "Tengwar")
VINYALS = {
    "train": ("Angelic/character01", "Angelic/character02", "ULOG/character01"),
    "val": ("ULOG/character02",),
    "test": ("Tengwar/character01", "Latin/character02"),
}


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


def omniglot(drawings: int = 3, vinyals: Mapping[str, Sequence[str]] = VINYALS) -> dict[str, bytes | str]:
    """Omniglot's layout: 6 alphabets of 2 characters, 2 runs of 2 classes, and the lists `vinyals` of characters."""
    files: dict[str, bytes | str] = {"SOURCE.md": "x"}
    folders = [f"images_background/{alphabet}" for alphabet in OMNIGLOT_BACKGROUND]
    folders += [f"images_evaluation/{alphabet}" for alphabet in OMNIGLOT_EVALUATION]
    for folder, character, drawer in itertools.product(folders, ("character01", "character02"), range(drawings)):
        files[f"{folder}/{character}/{drawer}.png"] = _drawing(len(files))
    for run in ("run01", "run02"):
        for name in ("training/class01", "training/class02", "test/item01", "test/item02"):
            files[f"one_shot_runs/{run}/{name}.png"] = _drawing(len(files))
        pairs = (("01", "02"), ("02", "01")) if run == "run01" else (("01", "01"), ("02", "02"))
        lines = [f"{run}/test/item{item}.png {run}/training/class{number}.png" for item, number in pairs]
        files[f"one_shot_runs/{run}/class_labels.txt"] = "\n".join(lines)
    for name, characters in vinyals.items():
        lines = [f"{character}/rot{turn:03d}" for character in characters for turn in (0, 90, 180, 270)]
        files[f"splits_vinyals/{name}.txt"] = "\n".join(lines) + "\n"
    return files


def grocery(classes: Sequence[tuple[str, str]], train: int = 5, val: int = 1, test: int = 3) -> dict[str, bytes | str]:
    """The Grocery Store Dataset's layout: (coarse, fine) classes, so many photos in each list, and catalogue pictures.

    Every photo is unlike the others.
    """
    found: dict[str, bytes | str] = {}
    lines: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    table = [
        "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),Iconic Image Path (str),Desc"
    ]
    for fine, (coarse, label) in enumerate(classes):
        iconic = f"iconic/{label}.jpg"
        table.append(f"{label},{fine},{coarse},0,/{iconic},/none.txt")
        paths = [iconic]
        for name, count in (("train", train), ("val", val), ("test", test)):
            photos = [f"{name}/{label}/{label}_{i}.jpg" for i in range(count)]
            lines[name] += [f"{path}, {fine}, 0" for path in photos]
            paths += photos
        found |= {path: jpeg(len(found) + number) for number, path in enumerate(paths)}
    found["classes.csv"] = "\n".join(table)
    return found | {f"{name}.txt": "\n".join(text) + "\n" for name, text in lines.items()}


def _drawing(number: int) -> bytes:
    """A picture of 1 bit a pixel, as Omniglot's are; another number, another picture."""
    buffer = io.BytesIO()
    Image.frombytes("1", (16, 16), np.random.default_rng(number).bytes(32)).save(buffer, "PNG")
    return buffer.getvalue()


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
