"""A folder, or a zip archive, with one folder a class."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.data.photos import Photo
from discern.data.sources.trees import Tree, ZipTree, open_tree
from discern.errors import DataError

# What is meant as a photo. Some of it is not read here, and is refused by name rather than passed over.
_NAMES = "jpg jpeg jpe jfif png webp bmp tif tiff gif mpo heic heif avif jp2 ppm dng"
EXTENSIONS = frozenset(f".{name}" for name in _NAMES.split())


class FolderConfig(BaseModel):
    """A folder of one folder a class, or a .zip of such; images in nested folders belong to the class above them.

    An archive may hold everything below one top folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)


class FolderSource:
    """Photos of a folder of classes.

    Raises:
        DataError: there are no images, fewer than two classes, a class of one image, or an image outside the classes.
    """

    def __init__(self, config: FolderConfig) -> None:
        self.config = config
        self._tree = open_tree(config.path)
        self.name = self._tree.name
        self._top = _top_folder(self._tree)
        self._images = _images(self._tree)
        _check_classes(self._tree, self._top, self._images)

    def fingerprint(self) -> str:
        """A hash of the files and of the settings."""
        return hashlib.sha256(f"{self.config.model_dump_json()}{self._tree.fingerprint()}".encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._images)

    def photos(self) -> Iterator[Photo]:
        """Stream the photos, sorted by path."""
        for path in self._images:
            label = _label(path, self._top)
            yield Photo(path, label, partial(self._tree.read, path), stamp=self._tree.stamp(path))


def _images(tree: Tree) -> list[str]:
    images = [path for path in tree.files if "." + path.rpartition(".")[2].lower() in EXTENSIONS]
    if not images:
        raise DataError(f"{tree.place} holds no images: put one folder of photos a class into it.")
    return images


def _top_folder(tree: Tree) -> str:
    """The folder around all classes of an archive, with its slash, or nothing."""
    if not isinstance(tree, ZipTree):
        return ""
    images = _images(tree)
    tops = {path.split("/")[0] for path in images}
    wrapped = len(tops) == 1 and all(path.count("/") >= 2 for path in images)
    return f"{tops.pop()}/" if wrapped else ""


def _label(path: str, top: str) -> str:
    return path.removeprefix(top).split("/")[0]


def _check_classes(tree: Tree, top: str, images: list[str]) -> None:
    for path in images:
        if "/" not in path.removeprefix(top):
            raise DataError(
                f"{path} in {tree.place} lies beside the class folders: move it into the folder of its class."
            )
    counts = Counter(_label(path, top) for path in images)
    for path in tree.files:
        inner = path.removeprefix(top)
        if "/" in inner and _label(path, top) not in counts:
            raise DataError(
                f"the class folder {_label(path, top)} in {tree.place} holds no images: add photos of it, or remove it."
            )
    if len(counts) < 2:
        raise DataError(
            f"{tree.place} holds one class ({next(iter(counts))}), and to tell apart takes two: add a folder for each "
            "class, or point one level higher or lower."
        )
    for label, count in sorted(counts.items()):
        if count < 2:
            raise DataError(
                f"class {label} in {tree.place} has one image, and one to enrol and one to ask are needed: add photos "
                "of it, or remove it."
            )
