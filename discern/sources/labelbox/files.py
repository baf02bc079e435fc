"""Labelbox export files, perhaps with their images beside them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from functools import partial

from discern.errors import DataError
from discern.sources.base import Photo, Source
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.labelbox.config import LabelboxExportConfig
from discern.sources.labelbox.export import Picture, read_rows
from discern.sources.labelbox.images import check_address
from discern.sources.labelbox.labels import instances
from discern.sources.labelbox.pictures import Labelled, Loader, named, photos
from discern.sources.paths import Finder, folder_of, is_image, stem

SUFFIX = ".ndjson"
LIMIT = 1 << 29  # bytes of one export file; some 200,000 rows
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LabelboxExportSource(Source):
    """Photos of Labelbox export files, by name.

    Raises:
        ConfigError: the question that the config names is nowhere answered, or it names none of several.
        DataError: there is no export, it is malformed, holds a row twice, or a labelled picture cannot be found.
    """

    def __init__(self, config: LabelboxExportConfig) -> None:
        self.config = config
        self._tree = open_tree(config.path, config.encoding)
        self.name = self._tree.name
        exports = _exports(self._tree, config)
        inside = f"{config.images.strip('/')}/".lstrip("/")
        self._finders = [_Images(self._tree, folder_of(path) + inside) for path in exports]
        location = f"{exports[0]} in {self._tree.location}" if len(exports) == 1 else self._tree.location
        self._labelled = named(instances(_pictures(self._tree, exports, config), config, location))
        for labelled in self._labelled:
            if any(instance.label for instance in labelled.instances) and self._path(labelled) is None:
                check_address(labelled.picture.url, labelled.name)

    def fingerprint(self) -> str:
        """A hash of the files and of the settings."""
        return hashlib.sha256(f"{self.config.model_dump_json()}{self._tree.fingerprint()}".encode()).hexdigest()

    def __len__(self) -> int:
        return sum(len(labelled.instances) for labelled in self._labelled)

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; none is read, or fetched, before it is loaded."""
        yield from photos(self._labelled, self._image, self.config.margin, self.name)

    def _image(self, labelled: Labelled) -> tuple[Loader, str | None]:
        path = self._path(labelled)
        if path is None:
            return labelled.download(), labelled.stamp
        return partial(self._tree.read, path), self._tree.stamp(path)

    def _path(self, labelled: Labelled) -> str | None:
        names = [name for name in (labelled.picture.global_key, labelled.picture.external_id) if name]
        return next((path for name in names for images in self._finders if (path := images.find(name))), None)


class _Images:
    """Finds images in a folder by name, with or without an extension."""

    def __init__(self, tree: Tree, folder: str) -> None:
        self._folder = folder
        inside = [path for path in tree.files if path.startswith(folder)]
        self._exact = Finder(inside)
        self._stems = Finder(stem(path) for path in inside if is_image(path))
        self._by_stem = {stem(path): path for path in inside if is_image(path)}

    def find(self, name: str) -> str | None:
        """The file of this name."""
        path = self._folder + name
        return self._exact.exact(path) or self._by_stem.get(self._stems.exact(path) or "")


def _exports(tree: Tree, config: LabelboxExportConfig) -> list[str]:
    if config.export is not None:
        if config.export not in tree.files:
            raise DataError(f"{tree.location} holds no {config.export}: give the export's path below it.")
        return [config.export]
    exports = [path for path in tree.files if path.lower().endswith(SUFFIX)]
    if not exports:
        raise DataError(
            f"{tree.location} holds no {SUFFIX} file: put the project's export there, or name it as `export`."
        )
    return exports


def _pictures(tree: Tree, exports: list[str], config: LabelboxExportConfig) -> Iterator[Picture]:
    seen: dict[str, str] = {}
    for path in exports:
        for picture in read_rows(_lines(tree, path), f"{path} in {tree.location}", config.project):
            if picture.id in seen:
                raise DataError(
                    f"data row {picture.id} of {path} is also in {seen[picture.id]} in {tree.location}: keep one "
                    "export of it, or name the one that is meant as `export`."
                )
            seen[picture.id] = path
            yield picture


def _lines(tree: Tree, path: str) -> Iterator[bytes]:
    data = tree.read(path, LIMIT + 1)
    if len(data) > LIMIT:
        raise DataError(
            f"{path} in {tree.location} has more than {LIMIT:,} bytes: split it into several {SUFFIX} files."
        )
    file = io.BytesIO(data)
    file.seek(len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0)
    return file
