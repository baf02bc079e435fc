"""The photos among the files of a tree, and the file that an annotation means.

Rules kept:
- whatever an annotation says, only files of the tree are found: `..`, absolute paths and drives match none;
- names are compared in Unicode's composed form, since archives made on a Mac hold them decomposed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from weakref import WeakKeyDictionary

from discern.map_ahead import map_ahead
from discern.sources.files.local import ZipTree
from discern.sources.files.tree import Tree
from edge_runtime.core.file_kinds import HEAD, RAW_NAMES, extension, looks_like_a_photo

# What is meant as a photo. Some of it is not read here, and is refused by name rather than passed over.
_NAMES = (
    "jpg jpeg jpe jfif png webp bmp dib tif tiff gif mpo heic heif hif avif jp2 j2k jpx jxl ppm pgm pbm pnm psd icloud"
)
EXTENSIONS = frozenset(f".{name}" for name in _NAMES.split()) | RAW_NAMES
# What is no photo, so that nobody needs to look into it; a .thm is the preview of a video.
_OTHERS = (
    "txt md rst csv tsv json jsonl ndjson geojson xml yaml yml html htm svg css js py ipynb sh bat ini cfg conf toml "
    "log names data cache dvc lock xmp aae thm mp4 mov avi mkv m4v webm mp3 wav pdf doc docx xls xlsx ppt pptx zip tar "
    "gz tgz bz2 xz 7z rar parquet arrow feather npy npz mat h5 hdf5 pkl pt pth onnx tflite bin db "
    "sqlite lnk url exe dll"
)
OTHERS = frozenset(f".{name}" for name in _OTHERS.split())
_photos: WeakKeyDictionary[Tree, list[str]] = WeakKeyDictionary()  # of each open tree, as they take looking into files


def is_image(path: str) -> bool:
    """Return True if a path is meant as a photo, by its extension."""
    return path[len(stem(path)) :].lower() in EXTENSIONS


def images_below(tree: Tree, folder: str = "") -> list[str]:
    """Return the photos of a tree below a folder (with its slash), sorted.

    A file whose extension says nothing, or that has none, is a photo where its first bytes are one's.

    Raises:
        DataError: such a file cannot be read.
    """
    if tree not in _photos:
        named = {path for path in tree.files if is_image(path)}
        unclear = [path for path in tree.files if path not in named and extension(path) not in OTHERS]
        looked_into = map_ahead(lambda path: looks_like_a_photo(tree.read(path, HEAD)), unclear)
        _photos[tree] = sorted(named | {path for path, is_photo in looked_into if is_photo})
    return [path for path in _photos[tree] if path.startswith(folder)]


def top_folder(tree: Tree, paths: Iterable[str]) -> str:
    """Return the one folder around all of some paths of an archive, with its slash, or nothing."""
    if not isinstance(tree, ZipTree):
        return ""
    tops = {path[: path.find("/") + 1] for path in paths}
    return tops.pop() if len(tops) == 1 else ""


def file_at(tree: Tree, path: str) -> str | None:
    """Return the file that a setting means by a path: from the root, or from the one top folder of an archive."""
    finder = Finder(tree.files)
    return finder.exact(path) or finder.exact(path, top_folder(tree, tree.files))


def folder_at(tree: Tree, folder: str) -> str:
    """Return the folder that a setting means likewise, with its slash; where it holds nothing, as it is written."""
    start = "" if folder == "." else f"{folder.strip('/').removeprefix('./')}/"
    below = top_folder(tree, tree.files) + start
    return below if not images_below(tree, start) and images_below(tree, below) else start


def roots(paths: Iterable[str], folder: str) -> list[str]:
    """Return the folders that hold a folder of this name, with their slash; each once, sorted."""
    parts = (f"/{path}".partition(f"/{folder}/") for path in paths)
    return sorted({f"{root}/"[1:] for root, separator, _ in parts if separator})


def folder_of(path: str) -> str:
    """Return the folder of a path, with its slash; nothing for a path without one."""
    return path[: path.rfind("/") + 1]


def is_absolute(path: str) -> bool:
    """Return True for a path from the root of some machine: /home/ann/1.jpg, C:\\photos\\1.jpg, \\\\server\\1.jpg."""
    return path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", path) is not None


def stem(path: str) -> str:
    """Return a path without its extension."""
    return path[: path.rfind(".")] if "." in path[path.rfind("/") + 1 :] else path


class Finder:
    """Finds files by the names that annotations give them."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = {path: path for path in files}

    def exact(self, path: str, start: str = "") -> str | None:
        """Return the file of this path below `start` (a folder with its slash), or None; a first `./` is ignored.

        Backslashes part folders, as in Windows, where no file's name has them.
        """
        for spelling in dict.fromkeys((path, path.replace("\\", "/"))):
            below = start + spelling.removeprefix("./")
            if found := self._files.get(below) or self._composed.get(_compose(below)):
                return found
        return None

    def at_end_of(self, path: str) -> str | None:
        """Return the file that an absolute path of another machine means.

        It is the file with the most folders that the path ends with, or else the only one of its base name.
        """
        parts = _compose(path.replace("\\", "/")).split("/")
        tails = ("/".join(parts[start:]) for start in range(1, len(parts) - 1))
        found = next((file for tail in tails if (file := self._composed.get(tail))), None)
        same = self._by_base_name.get(parts[-1], [])
        return found or (same[0] if len(same) == 1 else None)

    def like(self, name: str) -> list[str]:
        """Return the file of this path; else those that lie so below some folder; else those of the same base name."""
        exact = self.exact(name)
        if exact:
            return [exact]
        if is_absolute(name) and (found := self.at_end_of(name)):
            return [found]
        same = self._by_base_name.get(_base_name(name), [])
        tail = _compose("/" + name.replace("\\", "/").removeprefix("./"))
        return [path for path in same if _compose(path).endswith(tail)] or same

    @cached_property
    def _composed(self) -> dict[str, str]:
        return {_compose(path): path for path in self._files}

    @cached_property
    def _by_base_name(self) -> dict[str, list[str]]:
        paths = defaultdict(list)
        for path in self._files:
            paths[_base_name(path)].append(path)
        return paths


def _compose(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _base_name(path: str) -> str:
    return _compose(re.split(r"[/\\]", path)[-1])  # labelling tools on Windows write backslashes
