"""The parts of a YOLO data set: its classes, its images with their splits, and the file of labels of each.

Layouts, looked for in this order:
- a YAML with `names` and the paths of `train`, `val` and `test` (folders of images, or .txt lists of them);
- darknet's and CVAT's `obj.data`, which names such lists and the file of the classes;
- a list of the classes (`classes.txt`, `obj.names`, Roboflow's `_darknet.labels`) beside or above the images; their
  splits are those that folders are named after.

Rules kept:
- a path starts at `path` of the YAML, at the YAML itself, or at a folder above it; of one that is absolute, or leads
  up, as much of its end counts as the tree has;
- a split whose images are not there is passed over, and told, where others are; a listed image that is not is a fault.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from discern.errors import DataError
from discern.sources.base import Split
from discern.sources.files.tree import Tree
from discern.sources.named_files import NamedFiles
from discern.sources.names import split_named, splits_of_folders
from discern.sources.parsing import text_lines
from discern.sources.paths import file_at, folder_of, images_below
from discern.sources.yolo.label_files import label_files, orphans
from discern.sources.yolo.names import class_number, names_of_list, names_of_yaml, read_yaml, text_or_kind

logger = logging.getLogger(__name__)

YAMLS = ("data.yaml", "data.yml")
CLASSES = ("classes.txt", "obj.names", "_darknet.labels")
UNKNOWN = ("", "null", "~")  # as YAML writes it


@dataclass(frozen=True)
class YoloLayout:
    """A YOLO data set, before its labels are read.

    Args:
        names: the classes by their number.
        labels: the images by the file of labels that each would have, sorted by the image.
        splits: the split of each image that has one.
        keypoints: how many numbers follow a box in a data set of poses, else 0.
        faults: what belongs to no image, and why it cannot be used.
    """

    names: Mapping[int, str]
    labels: Mapping[str, str]
    splits: Mapping[str, Split]
    keypoints: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)


def read_layout(tree: Tree, data: str | None = None) -> YoloLayout:
    """Find a data set's parts.

    Args:
        tree: the files.
        data: path of the YAML; without it, the only one that names images.

    Raises:
        DataError: there is none or more than one, it is damaged, or what it names does not exist or contradicts.
    """
    if data is not None:
        path = file_at(tree, data)
        if path is None:
            raise DataError(f"{tree.location} holds no file {data!r}: set data to the path of its YAML.")
        return _by_yaml(tree, path)
    if path := _yaml(tree):
        return _by_yaml(tree, path)
    if path := _the_only(tree, [path for path in tree.files if path.lower().endswith(".data")]):
        return _by_darknet(tree, path)
    lists = [path for path in tree.files if _name(path) in CLASSES or path.lower().endswith(".names")]
    if lists:
        return _by_classes(tree, lists)
    raise DataError(
        f"{tree.location} holds no data.yaml, obj.data, obj.names or classes.txt{_other_yamls(tree)}: give the folder "
        "or archive of a YOLO data set, or set data to the path of its YAML."
    )


def _yaml(tree: Tree) -> str | None:
    """Return the YAML of a data set: the one called data.yaml, else the only one that has names and images."""
    path = _the_only(tree, [path for path in tree.files if _name(path) in YAMLS])
    return path or _the_only(tree, [path for path in _yamls(tree) if _names_images(tree, path)])


def _the_only(tree: Tree, paths: list[str]) -> str | None:
    if len(paths) > 1:
        raise DataError(
            f"{tree.location} holds {paths[0]} and {paths[1]}: give the path of one data set, or set data to one "
            "of them."
        )
    return paths[0] if paths else None


def _yamls(tree: Tree) -> list[str]:
    return [path for path in tree.files if path.lower().endswith((".yaml", ".yml"))]


def _other_yamls(tree: Tree) -> str:
    yamls = _yamls(tree)
    return f" ({', '.join(yamls[:3])} names no images)" if yamls else ""


def _names_images(tree: Tree, path: str) -> bool:
    try:
        content = read_yaml(tree, path)
    except DataError:
        return False
    return "names" in content and any(split_named(str(key)) for key in content)


def _name(path: str) -> str:
    return path[len(folder_of(path)) :].lower()


def _by_classes(tree: Tree, lists: list[str]) -> YoloLayout:
    """Read images below the folder of the lists of classes; several lists are those of folders, and must be equal."""
    names = names_of_list(tree, lists[0])
    for path in lists[1:]:
        if names_of_list(tree, path) != names:
            raise DataError(
                f"{tree.location} holds {lists[0]} and {path}, other classes: give the path of one data set."
            )
    root = posixpath.commonpath([f"/{folder_of(path)}" for path in lists])[1:]
    root = f"{root}/" if root else ""
    if f"/{root}".lower().endswith("/labels/"):
        root = root[: -len("labels/")]
    images = images_below(tree, root)
    in_images = [path for path in images if f"/{path[len(root) :]}".lower().startswith("/images/")]
    images = in_images or images
    if not images:
        below = f" in {root}" if root else ""
        raise DataError(f"{tree.location} holds no images{below}, as {lists[0]} needs: put them there, into images/.")
    return _layout(tree, names, images, splits_of_folders(images), {folder_of(image) for image in images})


def _by_darknet(tree: Tree, path: str) -> YoloLayout:
    """Read a file of `key = value`, whose paths start anywhere."""
    lines = [text.partition("=") for _, text in text_lines(tree, path)]
    content = {key.strip().lower(): value.strip() for key, separator, value in lines if separator}
    files = NamedFiles(tree.files)
    written = content.get("names", "obj.names")
    lists = files.meant(written, folder_of(path))
    if len(lists) != 1:
        raise DataError(f"{path} names the classes {written!r}, a file that {tree.location} does not hold: add it.")
    names = names_of_list(tree, lists[0])
    paths = _Paths(tree, path, "")
    splits = paths.splits((key, split, value) for key, value in content.items() if (split := split_named(key)))
    return _layout(tree, names, sorted(splits), splits, paths.folders, faults=paths.faults)


def _by_yaml(tree: Tree, path: str) -> YoloLayout:
    content = read_yaml(tree, path)
    paths = _Paths(tree, path, text_or_kind(content.get("path", "")))
    splits = paths.splits(_named_paths(content))
    return _layout(
        tree,
        names_of_yaml(content, path),
        sorted(splits),
        splits,
        paths.folders,
        keypoints=_keypoints(content, path),
        faults=paths.faults,
    )


def _layout(
    tree: Tree,
    names: Mapping[int, str],
    images: Iterable[str],
    splits: Mapping[str, Split],
    folders: Iterable[str],
    *,
    keypoints: int = 0,
    faults: Iterable[tuple[str, str]] = (),
) -> YoloLayout:
    labels = label_files(tree, images)
    without = [
        (path, f"{path} in {tree.location} has no image: add the image, or remove the labels.")
        for path in orphans(tree, folders, labels)
    ]
    return YoloLayout(names, labels, splits, keypoints, [*faults, *without])


def _named_paths(content: Mapping[str, Any]) -> Iterator[tuple[str, Split, Any]]:
    """Yield each path of images that a YAML names, as it is written, after its key and its split."""
    for key, value in content.items():
        split = split_named(str(key))
        if split is None:
            continue
        for path in value if isinstance(value, list) else [value]:
            if path not in UNKNOWN:
                yield key, split, path


def _keypoints(content: Mapping[str, Any], path: str) -> int:
    shape = content.get("kpt_shape", [])
    if shape == []:
        return 0
    sizes = [class_number(text_or_kind(size)) for size in shape] if isinstance(shape, list) else []
    if len(sizes) != 2 or sizes[0] is None or sizes[1] is None:
        raise DataError(f"{path} has a kpt_shape that is not [points, numbers a point]: correct it.")
    return sizes[0] * sizes[1]


class _Paths:
    """Finds the images that the paths of a YAML, or of an obj.data, mean.

    Args:
        tree: the files.
        path: of the YAML.
        root: where its paths start, as it says itself.

    Attributes:
        folders: those that were found, with their slash.
        faults: lines of lists that name no image, and why.
    """

    def __init__(self, tree: Tree, path: str, root: str) -> None:
        self.tree, self.path = tree, path
        self.base = folder_of(path)
        self.root = root.replace("\\", "/")
        self.folders: list[str] = []
        self.faults: list[tuple[str, str]] = []
        self._files = NamedFiles(tree.files)
        self._places = {place.lower(): place for place in _folders(images_below(tree))}

    def splits(self, paths: Iterable[tuple[str, Split, Any]]) -> dict[str, Split]:
        """Return the split of each image.

        Raises:
            DataError: there are no images, or one is in two splits.
        """
        splits: dict[str, Split] = {}
        missing: list[str] = []
        for key, split, written in paths:
            where = f"{key} of {self.path}"
            if not isinstance(written, str):
                raise DataError(f"{where} is no path: write the folder of its images.")
            images = list(self._images(written))
            if not images:
                missing.append(f"{where} is {written[:200]!r}, where {self.tree.location} holds no images")
            for image in images:
                before = splits.setdefault(image, split)
                if before != split:
                    raise DataError(f"{self.path} has {image} both in {before} and in {split}: choose one.")
        self._tell(missing, is_empty=not splits)
        return splits

    def _tell(self, missing: list[str], *, is_empty: bool) -> None:
        if is_empty and missing:
            absolute = " (an absolute path, of another machine)" if "is '/" in missing[0] else ""
            raise DataError(f"{missing[0]}{absolute}: write the folder of its images, from {self.path} on.")
        if is_empty and not self.faults:
            raise DataError(f"{self.path} names no images: give it the paths of train, val or test.")
        for sentence in missing:
            logger.warning("%s: that split is left out; take the line out, or add the images.", sentence)

    def _images(self, written: str) -> Iterator[str]:
        for candidate in self._candidates(written.replace("\\", "/").removeprefix("file://")):
            found = self._files.exact(candidate) if candidate.lower().endswith(".txt") else None
            if found:
                yield from self._list(found)
                return
            folder = self._places.get("" if candidate == "." else f"{candidate}/".lower())
            if folder is not None:
                self.folders.append(folder)
                yield from images_below(self.tree, folder)
                return

    def _candidates(self, path: str) -> Iterator[str]:
        """Yield the paths that a path may mean, likeliest first; none of them leads out of the tree.

        Exports often say `../train/images` of what lies beside the YAML.
        """
        joined = [posixpath.join(self.base, self.root, path)]
        joined += [posixpath.join(folder, path) for folder in _upwards(self.base)]
        parts = [part for part in posixpath.normpath(path).split("/") if part not in ("", "..")]
        if path.startswith("../"):
            joined.append(posixpath.join(self.base, *parts))
        is_foreign = path.startswith("/") or ":" in path[:3] or self.path.lower().endswith(".data")
        if is_foreign:
            joined += [posixpath.join(self.base, *parts[i:]) for i in range(len(parts))]
        for candidate in map(posixpath.normpath, joined):
            if candidate.split("/")[0] not in ("", ".."):
                yield candidate

    def _list(self, path: str) -> Iterator[str]:
        """Yield the images that a list names, from its own folder, from the YAML's `path`, or from the YAML."""
        starts = (folder_of(path), posixpath.join(self.base, self.root, ""), self.base)
        for where, name in text_lines(self.tree, path):
            exact = (image for start in starts if (image := self._files.exact(name, start)))
            image = next(exact, None)
            images = [image] if image else self._files.meant(name, folder_of(path))
            if len(images) == 1:
                yield images[0]
            elif images:
                fault = f"{where} names {name[:200]!r}, which can mean {images[0]} and {images[1]}: write one of them."
                self.faults.append((name, fault))
            else:
                fault = (
                    f"{where} names {name[:200]!r}, which {self.tree.location} does not hold: add it, or mend the line."
                )
                self.faults.append((name, fault))


def _upwards(folder: str) -> Iterator[str]:
    """Yield a folder and those above it, up to the top, each with its slash."""
    while folder:
        yield folder
        folder = folder_of(folder.rstrip("/"))
    yield ""


def _folders(images: Iterable[str]) -> set[str]:
    """Return all folders above some images, with their slash; the top is an empty text."""
    folders: set[str] = set()
    for folder in {folder_of(image) for image in images}:
        parts = folder.split("/")
        folders |= {"/".join([*parts[:i], ""]) if i else "" for i in range(len(parts))}
    return folders
