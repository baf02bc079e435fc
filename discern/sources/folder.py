"""A folder, or a zip archive, with one folder a class, perhaps below folders of splits."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.sources.class_folders import places, problems
from discern.sources.entries import Entry, ListedSource, with_names
from discern.sources.files.local import ZipTree
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import NamesConfig, clean_label
from discern.sources.paths import images_below


class FolderConfig(BaseModel):
    """A folder of one folder a class, or a .zip of such; images in nested folders belong to the class above them.

    An archive may hold everything below one top folder. Folders train, valid, test and the like above the classes, or
    inside each, are the photos' splits.

    Args:
        path: the folder or the archive.
        names: what the photos' paths say of their group and time.
        split_folders: False where folders with the names of splits are classes.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    names: NamesConfig | None = None
    split_folders: bool = True
    encoding: str | None = Field(default=None, min_length=1)


class FolderSource(ListedSource):
    """Photos of a folder of classes, sorted by path.

    Raises:
        DataError: there are no images, fewer than two classes, a class of one image, an image outside the classes, or
            folders that may be splits or classes; a sentence for each.
    """

    def __init__(self, config: FolderConfig) -> None:
        tree = open_tree(config.path, config.encoding)
        images = images_below(tree)
        if not images:
            raise DataError(_no_images(tree))
        is_archive = isinstance(tree, ZipTree)
        if sentences := problems(
            images, tree.files, tree.location, is_archive=is_archive, split_folders=config.split_folders
        ):
            raise DataError("\n".join(sentences))
        label = cache(lambda folder: clean_label(folder, f"the class folder {folder!r} in {tree.location}"))
        found = places(images, is_archive=is_archive, split_folders=config.split_folders)
        entries = (Entry(path, name and label(name), split=split) for path, name, split in found)
        super().__init__(tree.name, tree, config, list(with_names(entries, config.names)))


def _no_images(tree: Tree) -> str:
    pointers = [path for path in tree.files if path.endswith(".dvc")]
    if pointers:
        return f"{tree.location} holds no images, but {pointers[0]}, a pointer of DVC: run `dvc pull`."
    return f"{tree.location} holds no images: put one folder of photos a class into it."
