"""The file of labels of each image of a YOLO data set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from discern.errors import DataError
from discern.sources.files.tree import Tree
from discern.sources.named_files import NamedFiles
from discern.sources.names import split_of_path
from discern.sources.parsing import read_text
from discern.sources.paths import folder_of, images_below, stem

NOT_LABELS = frozenset({"classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt", "notes.txt"})
_FOLDER = re.compile(r"(.*/|)(images)(/.*)", re.IGNORECASE | re.DOTALL)  # the last folder of that name
_LINE = re.compile(r"\s*[0-9.e+]+(\s+[-+.e0-9]+){4,}\s*", re.IGNORECASE)


def label_files(tree: Tree, images: Iterable[str]) -> dict[str, str]:
    """Return the images by their files of labels; where there is no file, by the path that it would have.

    Labels lie in the folder `labels` where the image's last folder is `images` (in any capitals), as the image's name
    with .txt; or beside the image; or, where one file alone is called so, in another folder `labels`. What Label Studio
    writes with percent signs is found too.

    Raises:
        DataError: two images share a file.
    """
    texts = NamedFiles(path for path in tree.files if path.lower().endswith(".txt") and not _is_list(path))
    usual = {image: path for image in images_below(tree) if (path := _usual(texts, image))}
    taken = set(usual.values())
    labels: dict[str, str] = {}
    for image in images:
        _claim(labels, usual.get(image) or _unusual(texts, image, taken) or f"{stem(_places(image)[0])}.txt", image)
    return labels


def _usual(texts: NamedFiles, image: str) -> str | None:
    """Return the file of an image's name in one of the usual places, or None."""
    return next((path for place in _places(image) if (path := texts.exact(f"{stem(place)}.txt"))), None)


def _unusual(texts: NamedFiles, image: str, taken: set[str]) -> str | None:
    """Return the only file that can be an image's and is not `taken` by another one, or None.

    Its name is what Label Studio makes of the image's, or it lies in another folder `labels`.
    """
    folders = {folder_of(place).lower() for place in _places(image)}
    renamed = [path for path in texts.of_name(f"{stem(image)}.txt") if folder_of(path).lower() in folders]
    elsewhere = [path for path in texts.of_stem(image) if _may_be_of(path, image)]
    for paths in (renamed, elsewhere):
        free = [path for path in paths if path not in taken]
        if len(free) == 1:
            return free[0]
    return None


def _claim(labels: dict[str, str], path: str, image: str) -> None:
    if path in labels:
        raise DataError(f"{labels[path]} and {image} would share the labels {path}: rename or remove one of them.")
    labels[path] = image


def _may_be_of(path: str, image: str) -> bool:
    """Return True if labels that lie in none of the usual places can be an image's: in `labels`, and of its split."""
    splits = {split_of_path(path), split_of_path(image)} - {None}
    return "labels" in path.lower().split("/")[:-1] and len(splits) < 2


def _is_list(path: str) -> bool:
    return path[len(folder_of(path)) :].lower() in NOT_LABELS


def orphans(tree: Tree, folders: Iterable[str], labels: Mapping[str, str]) -> Iterator[str]:
    """Yield the files of labels that belong to no image.

    In folders of labels every text file is one; beside images, those whose first line looks like labels.

    Args:
        tree: the files.
        folders: those of the images, with their slash.
        labels: the images by their files of labels.
    """
    places = {place for folder in folders for place in _places(folder)}
    of_labels = tuple(place.lower() for place in places if f"/{place}".lower().find("/labels/") >= 0)
    of_images = {folder_of(image) for image in labels.values()}
    for path in tree.files:
        if not path.lower().endswith(".txt") or _is_list(path) or path in labels:
            continue
        if (of_labels and path.lower().startswith(of_labels)) or (
            folder_of(path) in of_images and _looks_like_labels(tree, path)
        ):
            yield path


def _places(path: str) -> list[str]:
    """Return where the labels of an image, or of a folder of images, may lie: in `labels`, else beside it."""
    match = _FOLDER.fullmatch(f"/{path}")
    if match is None or not match.group(1).endswith("/"):
        return [path]
    labels = {"IMAGES": "LABELS", "Images": "Labels"}.get(match.group(2), "labels")
    return [f"{match.group(1)}{labels}{match.group(3)}"[1:], path]


def _looks_like_labels(tree: Tree, path: str) -> bool:
    try:
        lines = read_text(tree, path).split("\n", 1)
    except DataError:
        return False
    return _LINE.fullmatch(lines[0]) is not None
