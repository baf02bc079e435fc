"""COCO JSON files: their images with their objects, checked against themselves.

A file that is no COCO file is an error. An entry in it that makes no sense is a fault of that entry alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from discern.errors import DataError
from discern.sources.base import Split, StatedSize
from discern.sources.coco.objects import box_of
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label, split_in_words, split_of_path
from discern.sources.parsing import LARGE, is_yes, read_whole, stated_size
from discern.sources.paths import file_at, folder_of, stem
from edge_runtime.core.images import Box

KEYS = ("images", "annotations", "categories")
# What the official layout has beside `instances_train2017.json`: the same images, or images without objects.
BESIDE_INSTANCES = ("captions_", "image_info_", "panoptic_", "person_keypoints_", "stuff_")


class CocoObject(NamedTuple):
    """One annotation: an object in an image, or the reason why it is none."""

    label: str | None
    box: Box | None
    crowd: bool
    fault: str | None = None


@dataclass(frozen=True)
class CocoImage:
    """One of the images.

    Args:
        file_name: as it is written.
        where: what messages call it.
        stated_size: its width and height, where both are written.
        objects: the objects in it.
        faults: why nothing in it can be used, if so.
    """

    file_name: str
    where: str
    stated_size: StatedSize | None = None
    objects: list[CocoObject] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CocoFile:
    """The content of a JSON file.

    Args:
        path: of the file.
        images: each once.
        strays: entries that belong to no image: what they are called, and the fault.
        is_labelled: there are annotations at all, so that an image without any is one in which nothing was found.
    """

    path: str
    images: list[CocoImage]
    strays: list[tuple[str, str]]
    is_labelled: bool


def find_coco(tree: Tree) -> list[tuple[Split | None, CocoFile]]:
    """Read the JSON files of a tree that have images, annotations and categories: the only one, or those of its splits.

    A split stands in the file's name (`instances_val2017.json`) or in its folder's (`valid/_annotations.coco.json`).

    Raises:
        DataError: there is none, or several of which some name no split.
    """
    files = list(_coco_files(tree))
    if not files:
        raise DataError(f"{tree.location} holds no .json with {', '.join(KEYS)}{_others(tree)}.")
    if len(files) == 1:
        return [(None, _checked(*files[0]))]
    splits = [split_in_words(stem(path).rpartition("/")[2]) or split_of_path(path) for path, _ in files]
    if None in splits or len(set(splits)) < 2:
        names = [path for path, _ in files]
        raise DataError(
            f"{names[0]} and {names[1]} in {tree.location} are both COCO files{_more(names)}: name one in annotations, "
            f"or one a split in splits, such as {{train: {names[0]}, test: {names[1]}}}."
        )
    return [(split, _checked(*file)) for split, file in zip(splits, files, strict=True)]


def _more(names: list[str]) -> str:
    return f" ({len(names)} in all)" if len(names) > 2 else ""


def _others(tree: Tree) -> str:
    """Return the end of a sentence about a tree without COCO files, by the JSON files that it has instead."""
    for path in (path for path in tree.files if path.lower().endswith(".json")):
        data = read_whole(tree, path, LARGE)
        if b'"shapes"' in data and b'"imagePath"' in data:
            return f": {path} is labelme's JSON, which is not read here: export it as COCO (labelme2coco) or VOC"
        if b'"annotations"' in data and b'"result"' in data:
            return f": {path} looks like Label Studio's JSON: set kind to label_studio"
    return ": name your file in annotations"


def _coco_files(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and content of each JSON file with COCO's keys."""
    jsons = [path for path in tree.files if path.lower().endswith(".json")]
    official = {folder_of(path) for path in jsons if path.rpartition("/")[2].startswith("instances_")}
    for path in jsons:
        if folder_of(path) in official and path.rpartition("/")[2].startswith(BESIDE_INSTANCES):
            continue
        data = read_whole(tree, path, LARGE)
        if _may_be_coco(data):
            content = _parse(path, data)
            if isinstance(content, dict) and all(key in content for key in KEYS):
                yield path, content


def read_coco(tree: Tree, path: str) -> CocoFile:
    """Read a JSON file.

    Raises:
        DataError: it does not exist, is damaged, or is of another kind.
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
    text = data if data[:2] not in (b"\xff\xfe", b"\xfe\xff") else data.decode("utf-16", "ignore").encode()
    return all(f'"{key}"'.encode() in text for key in KEYS)


def _parse(path: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no whole JSON file ({error}): export it again.") from None


def _checked(path: str, content: dict[str, Any]) -> CocoFile:
    labels, label_faults = _labels(path, content)
    strays: list[tuple[str, str]] = []
    images, by_id = _images(path, content, strays)
    number = 0
    for number, record in _records(path, content, "annotations", strays):
        where = f"annotation {_shown(record.get('id', number) if record.get('id') is not None else number)} of {path}"
        key, category = _id(record.get("image_id")), _id(record.get("category_id"))
        image = None if key is None else by_id.get(key)
        if image is None:
            written = _shown(record.get("image_id"))
            strays.append(
                (where, f"{where} has image_id {written}, which no image has: add the image, or remove the annotation.")
            )
            continue
        fault = label_faults.get(category)
        if fault is None and category not in labels:
            written = _shown(record.get("category_id"))
            fault = f"{where} has category_id {written}, which no category has: add it to categories."
        image.objects.append(_object(record, labels.get(category), fault, where))
    return CocoFile(path, images, strays, is_labelled=number > 0)


def _object(record: dict[str, Any], label: str | None, fault: str | None, where: str) -> CocoObject:
    is_crowd = is_yes(str(record.get("iscrowd")))
    box = box_of(record)
    if isinstance(box, str):
        return CocoObject(label, None, is_crowd, fault or f"{where} {box}")
    return CocoObject(label, box, is_crowd, fault)


def _labels(path: str, content: dict[str, Any]) -> tuple[dict[Any, str], dict[Any, str]]:
    """Return the labels by the ids of their categories, and the faults of categories without one."""
    labels: dict[Any, str] = {}
    faults: dict[Any, str] = {}
    for number, record in _records(path, content, "categories", []):
        key, name = _id(record.get("id")), record.get("name")
        if key in labels and name != labels[key]:
            faults[key] = f"two categories of {path} have the id {key!r}: give each its own."
        try:
            labels[key] = clean_label(name if isinstance(name, str) else "", f"category {key!r} of {path}")
        except DataError as error:
            faults[key] = str(error)
        if key is None or not isinstance(name, str):
            faults[key] = f"entry {number} of categories in {path} needs an id and a name: add them."
    return labels, faults


def _images(
    path: str, content: dict[str, Any], strays: list[tuple[str, str]]
) -> tuple[list[CocoImage], dict[Any, CocoImage]]:
    """Return the images, each file name once, and which of them an id means; what is no image joins `strays`."""
    images: dict[str, CocoImage] = {}  # by file name
    by_id: dict[Any, CocoImage] = {}
    for number, record in _records(path, content, "images", strays):
        key, name = _id(record.get("id")), record.get("file_name")
        if key is None or not isinstance(name, str) or not name.strip():
            where = f"entry {number} of images in {path}"
            strays.append((where, f"{where} needs an id and a file_name: add them."))
            continue
        size = stated_size(record.get("width"), record.get("height"))
        image = images.setdefault(name, CocoImage(name, f"image {key!r} of {path}", size))
        other = by_id.setdefault(key, image)
        if other is not image:
            fault = f"two images of {path} have the id {key!r}, {other.file_name!r} and {name!r}: give each its own."
            for one in (other, image):
                one.faults.append(fault)
    return list(images.values()), by_id


def _records(
    path: str, content: dict[str, Any], key: str, strays: list[tuple[str, str]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    records = content.get(key)
    if not isinstance(records, list):
        raise DataError(f"{path} has no list of {key}: export it again as COCO.")
    for number, record in enumerate(records, start=1):
        if isinstance(record, dict):
            yield number, record
        else:
            where = f"entry {number} of {key} in {path}"
            strays.append((where, f"{where} is no object: export it again as COCO."))


def _id(value: Any) -> int | str | None:
    """A whole number or a text, None for anything else; 1.0, as some tables write it, is 1, and true is not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, int | str) else json.dumps(value)[:80]
