"""Recognise how photos are laid out: folders of classes, COCO, VOC, YOLO, CVAT, Label Studio, or a table.

Rules kept:
- files that describe photos (a COCO JSON, `Annotations/*.xml`, a YOLO `data.yaml`, a table with a path and a label)
  come before the folders that the photos lie in;
- every problem of a folder of classes is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from discern.errors import DataError
from discern.sources.class_folders import problems
from discern.sources.files.local import ZipTree
from discern.sources.files.tree import Tree
from discern.sources.label_studio.source import is_export
from discern.sources.names import split_named
from discern.sources.parsing import LARGE, read_whole
from discern.sources.paths import images_below, top_folder
from discern.sources.table.reader import EXTENSIONS, open_table

Kind = Literal["folder", "coco", "voc", "yolo", "cvat", "label_studio", "table"]
TITLES: dict[Kind, str] = {
    "folder": "a folder of photos for each class",
    "coco": "COCO annotations",
    "voc": "Pascal VOC annotations",
    "yolo": "YOLO labels",
    "cvat": "CVAT's XML",
    "label_studio": "an export of Label Studio",
    "table": "a table of photos and labels",
}
HEAD = 4096  # bytes of an XML, by which its root has begun
COCO_KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class Layout:
    """How photos are laid out.

    Attributes:
        kind: name of the layout.
        source: settings of the source that reads it.
    """

    kind: Kind
    source: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The layout in words."""
        return TITLES[self.kind]


def recognise(tree: Tree, location: str, kind: Kind | None = None) -> Layout:
    """Recognise the layout of the photos in `tree`.

    Args:
        tree: the files.
        location: the path or address of the tree, as the config will name it.
        kind: the layout that a person names; None to look for it.

    Raises:
        DataError: there are no photos, or they are laid out in no way that is read here; a sentence for each problem.
    """
    images = images_below(tree)
    if not images:
        raise DataError(f"{location} holds no photos: put a folder of photos for each class into it.")
    chosen = kind or _described(tree) or "folder"
    if chosen == "folder" and (found := problems(images, tree.files, location, is_archive=isinstance(tree, ZipTree))):
        raise DataError("\n".join(found))
    settings: dict[str, Any] = {"kind": chosen, "path": location}
    if chosen == "coco":
        settings |= _coco_files(tree, location)
    return Layout(chosen, settings)


def _described(tree: Tree) -> Kind | None:
    """Return the layout that files beside the photos speak for."""
    names = {path.rpartition("/")[2].lower() for path in tree.files}
    if names & {"data.yaml", "data.yml", "classes.txt"}:
        return "yolo"
    if any(path.lower().endswith(".xml") and "/Annotations/" in f"/{path}" for path in tree.files):
        return "voc"
    return _described_by_a_file(tree)


def _described_by_a_file(tree: Tree) -> Kind | None:
    """Return the layout that the content of a file speaks for."""
    if any(b"<annotations>" in tree.read(path, HEAD) for path in _named(tree, ".xml")):
        return "cvat"
    if _coco_jsons(tree):
        return "coco"
    if any(is_export(tree, path) for path in _named(tree, ".json")):
        return "label_studio"
    if any(_is_table(tree, path) for path in _tables(tree)):
        return "table"
    return None


def _named(tree: Tree, extension: str) -> list[str]:
    return [path for path in tree.files if path.lower().endswith(extension)]


def _tables(tree: Tree) -> list[str]:
    top = top_folder(tree, tree.files)
    tables = (path for path in tree.files if path.lower().endswith(EXTENSIONS))
    return [path for path in tables if "/" not in path.removeprefix(top)]


def _is_table(tree: Tree, path: str) -> bool:
    try:
        return {"path", "label"} <= set(open_table(tree, path).header)
    except DataError:
        return False


def _coco_jsons(tree: Tree) -> list[str]:
    """Return the JSON files that may hold COCO annotations."""
    return [path for path in _named(tree, ".json") if _may_be_coco(read_whole(tree, path, LARGE))]


def _may_be_coco(data: bytes) -> bool:
    return all(f'"{key}"'.encode() in data for key in COCO_KEYS)


def _coco_files(tree: Tree, location: str) -> dict[str, Any]:
    """Return the settings that name the JSON files: the only one, or one a split.

    Raises:
        DataError: there is none, or there are several that name no split.
    """
    jsons = _coco_jsons(tree)
    if len(jsons) == 1:
        return {"annotations": jsons[0]}
    splits = {split: path for path in jsons if (split := _split_of(path))}
    if jsons and len(splits) == len(jsons):
        return {"splits": splits}
    if not jsons:
        raise DataError(f"{location} holds no .json with {', '.join(COCO_KEYS)}: export the annotations as COCO.")
    raise DataError(
        f"{location} holds {len(jsons)} COCO files ({', '.join(jsons[:3])}): keep one, or put one a split into folders "
        "named train, valid and test."
    )


def _split_of(path: str) -> str | None:
    """Return the split that a folder or the end of a file's name says: train/x.json, instances_val.json."""
    words = path.lower().removesuffix(".json").replace("_", "/").replace("-", "/").split("/")
    splits = [split for word in words if (split := split_named(word))]
    return splits[-1] if splits else None
