"""Small data sets in the layouts that labelling tools write, for the tests of their sources."""

from __future__ import annotations

import io
import itertools
import json
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


COLOURS = ((255, 0, 0), (0, 0, 255))
PARTS = {"train": "train", "valid": "validation", "test": "test"}
THING = (20, 10, 50, 30)  # of the red or blue thing in each picture of `marked`, pixels
SIZE = (80, 60)


def marked(number: int) -> bytes:
    """A picture with a thing at `THING`: red in those of even numbers, blue in the others."""
    noise = np.random.default_rng(number).integers(80, 176, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(SIZE)
    image.paste(COLOURS[number % 2], THING)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def public_layouts() -> dict[str, tuple[str, dict[str, bytes | str], bool]]:
    """The layouts that public data sets come in, by name: the kind, the files, and whether they name splits.

    Each holds two pictures a split with one thing each, and one picture of nothing.
    """
    return {
        "Pascal VOC": ("voc", _voc("JPEGImages/{}", "Annotations/{}", lists=True), True),
        "labelImg's VOC": ("voc", _voc("{}", "{}"), False),
        "VOC of Roboflow": ("voc", _voc("{part}/{}", "{part}/{}"), True),
        "COCO": ("coco", _coco("images/{part}2017/{}", "annotations/instances_{part}2017.json"), True),
        "COCO of Roboflow": ("coco", _coco("{part}/{}", "{part}/_annotations.coco.json"), True),
        "YOLO of Ultralytics": ("yolo", _yolo("images/{part}/{}", "labels/{part}/{}", "dataset.yaml"), True),
        "YOLO of Roboflow": (
            "yolo",
            _yolo("{part}/images/{}", "{part}/labels/{}", "data.yaml", "../{part}/images"),
            True,
        ),
        "YOLO 1.1 of CVAT": ("yolo", _darknet(), True),
    }


def _pictures() -> list[tuple[str, str, int]]:
    """Split, base name and number of each picture; the last of a split shows nothing to label."""
    names = [(part, f"img_{i}", i) for i, part in enumerate(part for part in PARTS for _ in range(2))]
    return [*names, ("train", "nothing", 6)]


def _voc(image: str, annotation: str, *, lists: bool = False) -> dict[str, bytes | str]:
    files: dict[str, bytes | str] = {}
    corners = "".join(
        f"<{key}>{side}</{key}>" for key, side in zip(("xmin", "ymin", "xmax", "ymax"), THING, strict=True)
    )
    for part, name, number in _pictures():
        label = ("red", "blue")[number % 2]
        thing = "" if number == 6 else f"<object><name>{label}</name><bndbox>{corners}</bndbox></object>"
        size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
        files[image.format(f"{name}.png", part=part)] = marked(number)
        files[annotation.format(f"{name}.xml", part=part)] = (
            f"<annotation><filename>{name}.png</filename>{size}{thing}</annotation>"
        )
        if lists:
            files[f"ImageSets/Main/{part.replace('valid', 'val')}.txt"] = _listed(part, "{name}\n")
    return files


def _listed(part: str, line: str) -> str:
    """The lines of a list of the pictures of a split."""
    return "".join(line.format(part=part, name=name) for of, name, _ in _pictures() if of == part)


def _coco(image: str, annotations: str) -> dict[str, bytes | str]:
    files: dict[str, bytes | str] = {}
    left, top, right, bottom = THING
    for part in PARTS:
        pictures = [(name, number) for of, name, number in _pictures() if of == part]
        files |= {image.format(f"{name}.png", part=part): marked(number) for name, number in pictures}
        files[annotations.format(part=part)] = json.dumps(
            {
                "images": [
                    {"id": i, "file_name": f"{name}.png", "width": SIZE[0], "height": SIZE[1]} for name, i in pictures
                ],
                "categories": [{"id": 0, "name": "red"}, {"id": 1, "name": "blue"}],
                "annotations": [
                    {"id": i, "image_id": i, "category_id": i % 2, "bbox": [left, top, right - left, bottom - top]}
                    for _, i in pictures
                    if i != 6
                ],
            }
        )
    return files


def _line(number: int) -> str:
    left, top, right, bottom = THING
    centre = f"{(left + right) / 2 / SIZE[0]} {(top + bottom) / 2 / SIZE[1]}"
    return "" if number == 6 else f"{number % 2} {centre} {(right - left) / SIZE[0]} {(bottom - top) / SIZE[1]}\n"


def _yolo(image: str, labels: str, data: str, folder: str = "images/{part}") -> dict[str, bytes | str]:
    files: dict[str, bytes | str] = {}
    for part, name, number in _pictures():
        files[image.format(f"{name}.png", part=part)] = marked(number)
        files[labels.format(f"{name}.txt", part=part)] = _line(number)
    paths = "".join(f"{'val' if part == 'valid' else part}: {folder.format(part=part)}\n" for part in PARTS)
    return files | {data: f"path: ../datasets/set\n{paths}nc: 2\nnames: [red, blue]\n"}


def _darknet() -> dict[str, bytes | str]:
    files: dict[str, bytes | str] = {"obj.names": "red\nblue\n"}
    files["obj.data"] = "classes = 2\nnames = data/obj.names\nbackup = backup/\n" + "".join(
        f"{part} = data/{part}.txt\n" for part in PARTS
    )
    for part, name, number in _pictures():
        files[f"obj_{part}_data/{name}.png"] = marked(number)
        files[f"obj_{part}_data/{name}.txt"] = _line(number)
        files[f"{part}.txt"] = _listed(part, "data/obj_{part}_data/{name}.png\n")
    return files


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
    with pytest.raises(DataError) as caught:
        listed(kind, changed(kind, files, tmp_path, changes), **settings)
    return sentence(caught.value)


def faults_of(
    kind: str, files: Files, tmp_path: Path, changes: Mapping[str, bytes | str | None], **settings: Any
) -> list[str]:
    """The faults of single things in a small data set after some of its files were changed; the others are kept."""
    found = listed(kind, changed(kind, files, tmp_path, changes), **settings)
    assert any(photo.fault is None for photo in found)
    faults = [photo for photo in found if photo.fault is not None]
    for photo in faults:
        with pytest.raises(DataError) as caught:
            photo.load()
        assert sentence(caught.value) == photo.fault
    return [str(photo.fault) for photo in faults]


def changed(kind: str, files: Files, tmp_path: Path, changes: Mapping[str, bytes | str | None]) -> Path:
    """Write the files of a small data set, some of them changed, or left out by None."""
    return plant(tmp_path / kind, {name: text for name, text in {**files, **changes}.items() if text is not None})
