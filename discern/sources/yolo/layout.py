"""The parts of a YOLO data set: its classes, its images with their splits, and the file of labels of each.

Two layouts: a `data.yaml` with `names` and the paths of `train`, `val` and `test` (folders of images, or .txt lists of
them); or a `classes.txt` with one class a line, beside `images` and `labels`.

Rules kept:
- an image's labels lie where its last folder `images` is replaced by `labels`, else beside it, as its name with .txt;
- paths start at `path` of the YAML, or at the YAML itself; `..` leads no further up than the tree.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from discern.errors import DataError
from discern.sources.base import Split
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label, split_named
from discern.sources.parsing import read_text, text_lines
from discern.sources.paths import Finder, file_at, folder_of, images_below, stem

YAMLS = ("data.yaml", "data.yml")
CLASSES = "classes.txt"
UNKNOWN = ("", "null", "~")  # as YAML writes it


@dataclass(frozen=True)
class YoloLayout:
    """A YOLO data set, before its labels are read.

    Args:
        names: the classes by their number.
        labels: the images by the file of labels that each would have, sorted by the image.
        splits: the split of each image that has one.
        keypoints: how many numbers follow a box in a data set of poses, else 0.
    """

    names: Mapping[int, str]
    labels: Mapping[str, str]
    splits: Mapping[str, Split]
    keypoints: int = 0


def read_layout(tree: Tree, data: str | None = None) -> YoloLayout:
    """Find a data set's parts.

    Args:
        tree: the files.
        data: path of the YAML; without it, the only data.yaml, else the only classes.txt.

    Raises:
        DataError: there is neither or more than one, it is damaged, or what it names does not exist or contradicts.
    """
    if data is not None:
        path = file_at(tree, data)
        if path is None:
            raise DataError(f"{tree.location} holds no file {data!r}: set data to the path of its YAML.")
        return _by_yaml(tree, path)
    for names, read in ((YAMLS, _by_yaml), ((CLASSES,), _by_classes)):
        paths = [path for path in tree.files if path[len(folder_of(path)) :].lower() in names]
        if len(paths) > 1:
            raise DataError(f"{tree.location} holds {paths[0]} and {paths[1]}: give the path of one data set.")
        if paths:
            return read(tree, paths[0])
    raise DataError(
        f"{tree.location} holds no data.yaml and no classes.txt: give the folder or .zip of a YOLO data set."
    )


def _by_classes(tree: Tree, path: str) -> YoloLayout:
    lines = [line.strip() for line in read_text(tree, path).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    names = {i: clean_label(line, f"line {i + 1} of {path}") for i, line in enumerate(lines)}
    root = folder_of(path)
    if f"/{path}".endswith("/labels/classes.txt"):
        root = root.removesuffix("labels/")
    images = images_below(tree, f"{root}images/")
    if not images:
        raise DataError(f"{tree.location} holds no images in {root}images/, as {path} needs: put them there.")
    labels = _labels(images)
    _check_orphans(tree, [f"{root}images/"], labels)
    return YoloLayout(names, labels, {})


def _by_yaml(tree: Tree, path: str) -> YoloLayout:
    content = _parse(tree, path)
    splits: dict[str, Split] = {}
    folders: list[str] = []
    for key, split, images in _paths(content):
        for image in _images(tree, path, f"{key} of {path}", images, _text(content.get("path", "")), folders):
            before = splits.setdefault(image, split)
            if before != split:
                raise DataError(f"{path} has {image} both in {before} and in {split}: choose one.")
    if not splits:
        raise DataError(f"{path} names no images: give it the paths of train, val or test.")
    labels = _labels(sorted(splits))
    _check_orphans(tree, folders, labels)
    return YoloLayout(_names(content, path), labels, splits, _keypoints(content, path))


def _paths(content: Mapping[str, Any]) -> Iterator[tuple[str, Split, Any]]:
    """Yield each path of images that a YAML names, as it is written, after its key and its split."""
    for key, value in content.items():
        split = split_named(str(key))
        if split is None:
            continue
        for path in value if isinstance(value, list) else [value]:
            if path not in UNKNOWN:
                yield key, split, path


def _parse(tree: Tree, path: str) -> dict[str, Any]:
    try:
        # The base loader makes texts, lists and mappings alone; the safe one would read the classes `no` and `1_0` as
        # something else than they are called.
        content = yaml.load(read_text(tree, path), Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{path} is no whole YAML file ({' '.join(str(error).split())[:200]}): mend it.") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} has no keys: give it names, and the paths of train, val or test.")
    return content


def _names(content: Mapping[str, Any], path: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for key, name in _named_keys(content.get("names")):
        number = class_number(str(key))
        if number is None or number in names or not isinstance(name, str):
            raise DataError(
                f"names of {path} has {str(key)[:50]!r} for {_text(name)[:50]!r}: write a number and one name."
            )
        names[number] = clean_label(name, f"names[{number}] of {path}")
    if not names:
        raise DataError(f"{path} has no list of names: give each class its name.")
    count = _text(content.get("nc", str(len(names))))
    if count != str(len(names)):
        raise DataError(f"{path} says nc: {count[:50]}, and has {len(names)} names: make them agree.")
    return names


def _named_keys(names: Any) -> Iterable[tuple[Any, Any]]:
    """Return the pairs of a list or a mapping of names, unchecked; none of anything else."""
    if isinstance(names, list):
        return enumerate(names)
    return names.items() if isinstance(names, dict) else ()


def class_number(text: str) -> int | None:
    """The number that a class is written as, or None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _keypoints(content: Mapping[str, Any], path: str) -> int:
    shape = content.get("kpt_shape", [])
    if shape == []:
        return 0
    sizes = [class_number(_text(size)) for size in shape] if isinstance(shape, list) else []
    if len(sizes) != 2 or sizes[0] is None or sizes[1] is None:
        raise DataError(f"{path} has a kpt_shape that is not [points, numbers a point]: correct it.")
    return sizes[0] * sizes[1]


def _text(value: Any) -> str:
    """A text, or the kind of what is none: some lines of YAML can stand for a list of billions."""
    return value if isinstance(value, str) else f"a {type(value).__name__}"


def _images(tree: Tree, path: str, where: str, images: Any, root: str, folders: list[str]) -> Iterator[str]:
    """Yield the images that one path of the YAML means; its folder is added to `folders`."""
    if not isinstance(images, str):
        raise DataError(f"{where} is no path: write the folder of its images.")
    for candidate in _candidates(folder_of(path), root, images):
        if candidate.lower().endswith(".txt") and candidate in tree.files:
            yield from _list(tree, candidate, folder_of(path), root)
            return
        folder = "" if candidate == "." else f"{candidate}/"
        inside = images_below(tree, folder)
        if inside:
            folders.append(folder)
            yield from inside
            return
    raise DataError(f"{where} is {images[:200]!r}, where {tree.location} holds no images: correct the path.")


def _candidates(base: str, root: str, path: str) -> list[str]:
    """Return the paths that a path of the YAML may mean, likeliest first; none of them leads out of the tree.

    Exports often say `../train/images` of what lies beside the YAML.
    """
    joined = [posixpath.join(base, root, path), posixpath.join(base, path)]
    if path.startswith("../"):
        joined.append(posixpath.join(base, path.removeprefix("../")))
    normal = map(posixpath.normpath, joined)
    return [candidate for candidate in normal if candidate.split("/")[0] not in ("", "..")]


def _list(tree: Tree, path: str, base: str, root: str) -> Iterator[str]:
    """Yield the images that a list names, from its own folder, from the YAML's `path`, or from the YAML."""
    finder = Finder(tree.files)
    starts = (folder_of(path), posixpath.join(base, root, ""), base)
    for where, name in text_lines(tree, path):
        images = [image for start in starts if (image := finder.exact(name, start))]
        if not images:
            raise DataError(f"{where} names {name[:200]!r}, which {tree.location} does not hold: mend it.")
        yield images[0]


def _labels(images: Iterable[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for image in images:
        path = f"{stem(_beside(image))}.txt"
        if path in labels:
            raise DataError(f"{labels[path]} and {image} would share the labels {path}: rename or remove one of them.")
        labels[path] = image
    return labels


def _beside(path: str) -> str:
    """Return a path with `labels` for its last folder `images`; a path without one as it is."""
    head, images, tail = f"/{path}".rpartition("/images/")
    return f"{head}/labels/{tail}"[1:] if images else path


def _check_orphans(tree: Tree, folders: Iterable[str], labels: Mapping[str, str]) -> None:
    """Refuse labels, in the folders of labels, that belong to no image."""
    folders_of_labels = tuple(_beside(folder) for folder in folders if _beside(folder) != folder)
    for path in tree.files:
        is_labels = path.endswith(".txt") and not path.endswith(f"/{CLASSES}")
        if is_labels and path.startswith(folders_of_labels) and path not in labels:
            raise DataError(f"{path} in {tree.location} has no image: add the image, or remove the labels.")
