"""A folder, or a zip archive, with one folder a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.sources.entries import Entry, ListedSource, with_names
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import NamesConfig, clean_label
from discern.sources.paths import images_below, top_folder


class FolderConfig(BaseModel):
    """A folder of one folder a class, or a .zip of such; images in nested folders belong to the class above them.

    An archive may hold everything below one top folder.

    Args:
        path: the folder or the archive.
        names: what the photos' paths say of their group and time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    names: NamesConfig | None = None


class FolderSource(ListedSource):
    """Photos of a folder of classes, sorted by path.

    Raises:
        DataError: there are no images, fewer than two classes, a class of one image, or an image outside the classes.
    """

    def __init__(self, config: FolderConfig) -> None:
        tree = open_tree(config.path)
        images = images_below(tree)
        if not images:
            raise DataError(f"{tree.location} holds no images: put one folder of photos a class into it.")
        top = top_folder(tree, images) if all(path.count("/") >= 2 for path in images) else ""
        _check_classes(tree, top, images)
        label = cache(lambda folder: clean_label(folder, f"the class folder {folder!r} in {tree.location}"))
        entries = with_names((Entry(path, label(_class_folder(path, top))) for path in images), config.names)
        super().__init__(tree.name, tree, config, list(entries))


def _class_folder(path: str, top: str) -> str:
    return path.removeprefix(top).split("/")[0]


def _check_classes(tree: Tree, top: str, images: Iterable[str]) -> None:
    counts = _count_classes(tree, top, images)
    _check_folders(tree, top, counts)
    if len(counts) < 2:
        raise DataError(
            f"{tree.location} holds one class ({next(iter(counts))}), and to tell apart takes two: add a folder for "
            "each class, or point one level higher or lower."
        )
    for label, count in sorted(counts.items()):
        if count < 2:
            raise DataError(
                f"class {label} in {tree.location} has one image, and one to enrol and one to ask are needed: add "
                "photos of it, or remove it."
            )


def _count_classes(tree: Tree, top: str, images: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in images:
        if "/" not in path.removeprefix(top):
            raise DataError(
                f"{path} in {tree.location} lies beside the class folders: move it into the folder of its class."
            )
        counts[_class_folder(path, top)] += 1
    return counts


def _check_folders(tree: Tree, top: str, counts: Counter[str]) -> None:
    for path in tree.files:
        folder = _class_folder(path, top)
        if "/" in path.removeprefix(top) and folder not in counts:
            raise DataError(
                f"the class folder {folder} in {tree.location} holds no images: add photos of it, or remove it."
            )
