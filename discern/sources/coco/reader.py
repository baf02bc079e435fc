"""One COCO JSON file: its images with their objects, checked against itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from discern.errors import DataError
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label
from discern.sources.parsing import LARGE, pixels, read_whole
from discern.sources.paths import file_at
from edge_runtime.core.images import Box

KEYS = ("images", "annotations", "categories")
FAR = 1e12  # pixels; no number, infinity and what a float cannot hold are not below it either


class CocoObject(NamedTuple):
    """One annotation: an object in an image."""

    label: str
    box: Box
    crowd: bool


@dataclass(frozen=True)
class CocoImage:
    """One of the images.

    Args:
        file_name: as it is written.
        where: what messages call it.
        objects: the objects in it.
    """

    file_name: str
    where: str
    objects: list[CocoObject] = field(default_factory=list)


@dataclass(frozen=True)
class CocoFile:
    """A JSON file's images by their id."""

    path: str
    images: dict[Any, CocoImage]


def find_coco(tree: Tree) -> CocoFile:
    """Read the only JSON file of a tree that has images, annotations and categories.

    Raises:
        DataError: there is none, or more than one.
    """
    files = list(islice(_coco_files(tree), 2))
    if not files:
        raise DataError(f"{tree.location} holds no .json with {', '.join(KEYS)}: name your file in annotations.")
    if len(files) > 1:
        raise DataError(
            f"{files[0][0]} and {files[1][0]} in {tree.location} are both COCO files: name one in annotations, or one "
            "a split in splits."
        )
    return _checked(*files[0])


def _coco_files(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and content of each JSON file with COCO's keys."""
    for path in tree.files:
        if not path.lower().endswith(".json"):
            continue
        data = read_whole(tree, path, LARGE)
        if _may_be_coco(data):
            content = _parse(path, data)
            if isinstance(content, dict) and all(key in content for key in KEYS):
                yield path, content


def read_coco(tree: Tree, path: str) -> CocoFile:
    """Read a JSON file.

    Raises:
        DataError: it does not exist, is damaged, or contradicts itself.
    """
    file_path = file_at(tree, path)
    if file_path is None:
        jsons = [file for file in tree.files if file.lower().endswith(".json")]
        raise DataError(f"{tree.location} holds no file {path!r}: its JSON files are {', '.join(jsons[:5]) or 'none'}.")
    content = _parse(file_path, read_whole(tree, file_path, LARGE))
    if not isinstance(content, dict):
        raise DataError(f"{file_path} holds no object with {', '.join(KEYS)}: export it again as COCO.")
    return _checked(file_path, content)


def _may_be_coco(data: bytes) -> bool:
    return all(f'"{key}"'.encode() in data for key in KEYS)


def _parse(path: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no whole JSON file ({error}): export it again.") from None


def _checked(path: str, content: dict[str, Any]) -> CocoFile:
    labels = dict(_labels(path, content))
    images = _images(path, content)
    for number, record in _records(path, content, "annotations"):
        where = f"annotation {_id(record, 'id', number)!r} of {path}"
        image, category = _id(record, "image_id"), _id(record, "category_id")
        if image not in images:
            raise DataError(f"{where} has image_id {image!r}, which no image has: add the image, or remove it.")
        if category not in labels:
            raise DataError(f"{where} has category_id {category!r}, which no category has: add it to categories.")
        box = _box(record.get("bbox"), where)
        images[image].objects.append(CocoObject(labels[category], box, bool(record.get("iscrowd"))))
    return CocoFile(path, images)


def _labels(path: str, content: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    seen = set()
    for number, record in _records(path, content, "categories"):
        key, name = _id(record, "id"), record.get("name")
        if key is None or not isinstance(name, str):
            raise DataError(f"entry {number} of categories in {path} needs an id and a name: add them.")
        if key in seen:
            raise DataError(f"two categories of {path} have the id {key!r}: give each its own.")
        seen.add(key)
        yield key, clean_label(name, f"category {key!r} of {path}")


def _images(path: str, content: dict[str, Any]) -> dict[Any, CocoImage]:
    images: dict[Any, CocoImage] = {}
    id_of: dict[str, Any] = {}  # by file name
    for number, record in _records(path, content, "images"):
        key, name = _id(record, "id"), record.get("file_name")
        if key is None or not isinstance(name, str) or not name:
            raise DataError(f"entry {number} of images in {path} needs an id and a file_name: add them.")
        if key in images:
            raise DataError(f"two images of {path} have the id {key!r}: give each its own.")
        if name in id_of:
            raise DataError(f"images {id_of[name]!r} and {key!r} of {path} have one file_name, {name!r}: remove one.")
        id_of[name] = key
        images[key] = CocoImage(name, f"image {key!r} of {path}")
    return images


def _records(path: str, content: dict[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    records = content.get(key)
    if not isinstance(records, list):
        raise DataError(f"{path} has no list of {key}: export it again as COCO.")
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise DataError(f"entry {number} of {key} in {path} is no object: export it again as COCO.")
        yield number, record


def _id(record: dict[str, Any], key: str, default: int | None = None) -> int | str | None:
    """A whole number or a text; 1 and true are not one id, nor are 1 and 1.0."""
    value = record.get(key, default)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else default


def _box(bbox: Any, where: str) -> Box:
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(_is_number(value) for value in bbox):
        text = json.dumps(bbox)
        raise DataError(
            f"{where} has the bbox {text[:80]}, and four finite numbers [left, top, width, height] are needed: correct "
            "it, or remove the annotation."
        )
    left, top, width, height = (float(value) for value in bbox)
    return left, top, pixels(left + width), pixels(top + height)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < FAR
