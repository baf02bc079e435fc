"""The files that annotations mean, however the tool that wrote them spelled their names.

A tool names a file as it saw it: from a folder of another machine, with back-slashes, as an address, with percent
signs, in other capitals (Windows and macOS do not tell them apart), or behind the digits that Label Studio puts there.

Rules kept:
- whatever an annotation says, only files of the tree are found;
- a file of exactly this path is meant before any other: from the annotation's own folder, then from the top;
- else the files whose paths agree with the name in the most parts, from the end; several of them are all returned;
- of several names that mean one file the one that agrees with it most means it, and the others mean none.
"""

from __future__ import annotations

import math
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote

from discern.sources.base import Split
from discern.sources.names import split_of_path
from discern.sources.paths import stem

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL_FILE = re.compile(r".*\?(?:.*&)?d=([^&]+)")  # how Label Studio serves a file of its own disk
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded file


class Wanted(NamedTuple):
    """A file that an annotation names.

    Attributes:
        name: as the annotation spells it.
        near: the annotation's own folder, with its slash.
        split: of the annotation; of several files those in folders named after it are meant.
    """

    name: str
    near: str = ""
    split: Split | None = None


class NamedFiles:
    """Finds files by the names that annotations give them.

    Args:
        files: paths from the root of the tree.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self._paths = frozenset(files)
        self._files = {_compose(path): path for path in sorted(self._paths)}

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def exact(self, name: str, start: str = "") -> str | None:
        """Return the file of this path below `start` (a folder with its slash), in other capitals too, or None."""
        for spelled in _spellings(name):
            path = start + spelled.removeprefix("./")
            found = self._files.get(_compose(path)) or _only(self._by_key.get(_key(path), []))
            if found:
                return found
        return None

    def meant(self, name: str, near: str = "") -> list[str]:
        """Return the files that a name can mean; one where it is clear, none where there is none.

        Args:
            name: as the annotation spells it.
            near: the annotation's own folder, with its slash.
        """
        spellings = _spellings(name)
        for start in (near, ""):
            for spelled in spellings:
                if path := self._files.get(_compose(posixpath.normpath(start + spelled))):
                    return [path]
        for spelled in spellings:
            if found := self._by_tail(spelled, near):
                return found
        for index, key in ((self._by_bare_name, _bare_name), (self._by_stem, _stem_key)):
            if spellings and (found := index.get(key(spellings[-1]), [])):
                return found if len(found) == 1 else _closest(found, near)
        return []

    def meant_by_each(self, wanted: Sequence[Wanted]) -> list[list[str]]:
        """Return the files that each of some names can mean; a name that fits its file less than another means none."""
        found = [of_split(self.meant(name, near), split) for name, near, split in wanted]
        claims: dict[str, list[tuple[float, str, int]]] = defaultdict(list)  # agreement, name, place; by path
        for place, paths in enumerate(found):
            if len(paths) == 1:
                name = wanted[place].name
                claims[paths[0]].append((_agreement(name, paths[0]), _plain(name), place))
        for of_path in claims.values():
            most = max(agreement for agreement, _, _ in of_path)
            names = {name for agreement, name, _ in of_path if agreement == most}
            is_clear = most == math.inf or len(names) == 1
            for _, name, place in of_path:
                if name not in names or not is_clear:
                    found[place] = []
        return found

    def of_stem(self, path: str) -> list[str]:
        """Return the files that are called like a file, whatever their extensions, those that lie closest to it."""
        found = self._by_stem.get(_stem_key(path), [])
        return found if len(found) < 2 else _closest(found, path)

    def of_name(self, path: str) -> list[str]:
        """Return the files of a base name, but for what Label Studio does to the name of a file that it takes."""
        return self._by_bare_name.get(_bare_name(path), [])

    def _by_tail(self, name: str, near: str) -> list[str]:
        parts = _key(name).split("/")
        same = self._by_base_name.get(parts[-1], [])
        if len(same) < 2:
            return same
        best = _best(same, lambda path: _common(parts[::-1], _key(path).split("/")[::-1]))
        to_the_letter = [path for path in best if _base_name(path) == _base_name(name)]
        return [path for path in to_the_letter or best if near and path.startswith(near)] or to_the_letter or best

    @cached_property
    def _by_key(self) -> Mapping[str, list[str]]:
        return self._index(_key)

    @cached_property
    def _by_base_name(self) -> Mapping[str, list[str]]:
        return self._index(lambda path: _base_name(_key(path)))

    @cached_property
    def _by_bare_name(self) -> Mapping[str, list[str]]:
        return self._index(_bare_name)

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        return self._index(_stem_key)

    def _index(self, key: Callable[[str], str]) -> Mapping[str, list[str]]:
        index = defaultdict(list)
        for path in self._files.values():
            index[key(path)].append(path)
        return index


def of_split(paths: list[str], split: Split | None) -> list[str]:
    """Return the paths in a folder named after a split, where there are such; else all of them."""
    return [path for path in paths if split is not None and split_of_path(path) == split] or paths


def _agreement(name: str, path: str) -> float:
    """Return in how many parts a path ends as a name does; infinity where that is all of the name, to the letter."""
    spelled = _spellings(name)[-1]
    if f"/{_compose(path)}".endswith(f"/{_compose(_plain(spelled))}"):
        return math.inf
    agreeing = _common(_key(spelled).split("/")[::-1], _key(path).split("/")[::-1])
    return agreeing + 0.5 * (_base_name(spelled) == _base_name(path))


def _plain(name: str) -> str:
    return posixpath.normpath(name.replace("\\", "/")).lstrip("./")


def _spellings(name: str) -> list[str]:
    """Return the paths that a name may stand for: as it is, and without what addresses and Windows add."""
    text = name.strip()
    local = _LOCAL_FILE.fullmatch(text)
    path = unquote(local.group(1)) if local else text
    if _SCHEME.match(path):
        path = path.partition("://")[2].partition("?")[0]
    slashes = path.replace("\\", "/")
    return [spelled for spelled in dict.fromkeys((text, slashes, unquote(slashes))) if spelled.strip("./")]


def _closest(paths: list[str], place: str) -> list[str]:
    """Return those of some paths that share the most folders with a place: its first ones, and its last ones."""
    folders = _key(place).split("/")[:-1]

    def shared(path: str) -> int:
        own = _key(path).split("/")[:-1]
        return 2 * _common(own, folders) + _common(own[::-1], folders[::-1]) + (own == folders)

    return _best(paths, shared)


def _best(paths: list[str], score: Callable[[str], int]) -> list[str]:
    scores = [score(path) for path in paths]
    return [path for path, points in zip(paths, scores, strict=True) if points == max(scores)]


def _common(first: list[str], second: list[str]) -> int:
    """Return how many parts two lists begin with in common."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def _only(paths: list[str]) -> str | None:
    return paths[0] if len(paths) == 1 else None


def _compose(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _key(path: str) -> str:
    """Return a path without what tools change: capitals, and percent signs for letters."""
    return _compose(unquote(path)).casefold()


def _base_name(path: str) -> str:
    return _compose(path.rpartition("/")[2])


def _bare_name(path: str) -> str:
    """Return a base name as it was before Label Studio took the file: without its digits, and with its own blanks."""
    return _UPLOADED.sub("", _base_name(_key(path)), count=1).replace(" ", "_")


def _stem_key(path: str) -> str:
    return stem(_base_name(_key(path)))
