"""COCO: a JSON file of images, annotations and categories, or one such file a split, beside the images.

Rules kept:
- every image gives a photo: one for each of its annotations, or one without a label where it has none; so does an image
  file that lies among the listed ones and is not listed;
- boxes are taken as they are written; whether they fit their picture is known once it is decoded, not here;
- what the JSON names is looked up among the files there are, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from discern.errors import DataError
from discern.sources.base import Split
from discern.sources.coco.reader import CocoFile, CocoImage, find_coco, read_coco
from discern.sources.entries import Entry, ListedSource, in_order, with_names
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import NamesConfig, split_named
from discern.sources.paths import Finder, folder_at, folder_of, images_below


def _known_splits(value: Any) -> Any:
    """Rename keys to the names that splits have here; a key that is no split stays, and is refused later."""
    if not isinstance(value, Mapping):
        return value
    renamed = {split_named(str(key)) or key: file for key, file in value.items()}
    if len(renamed) < len(value):
        raise ValueError("two keys mean one split: give each split one file")
    return renamed


class CocoConfig(BaseModel):
    """A data set in the format of COCO.

    Args:
        path: the folder or .zip that holds the images and the JSON.
        annotations: path of the JSON inside it; without it and `splits`, the only JSON of the kind.
        splits: paths of one JSON a split (train, validation, test) instead.
        images: folder inside `path` that file names start from; without it they are looked up as they are, below any
            folder, and by their base name.
        margin: what is shown around a box, as a share of its width and height.
        crowd: keep boxes around crowds (`iscrowd`); an image that has no others then gives nothing.
        names: what the photos' paths say of their group and time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["coco"] = "coco"
    path: str = Field(min_length=1)
    annotations: str | None = Field(default=None, min_length=1)
    splits: Annotated[dict[Split, str] | None, BeforeValidator(_known_splits)] = None
    images: str | None = None
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    crowd: bool = False
    names: NamesConfig | None = None

    @model_validator(mode="after")
    def _make_sense(self) -> CocoConfig:
        if self.annotations is not None and self.splits is not None:
            raise ValueError("annotations is the one file without splits, splits names one a split: set one of the two")
        if self.splits is not None and not self.splits:
            raise ValueError("splits is empty: name one file a split, or leave it out")
        return self


class CocoSource(ListedSource):
    """Objects in the photos of a COCO data set, by image, box and label.

    Raises:
        DataError: a JSON is missing, damaged or contradicts itself, or an image is missing or cannot be told.
    """

    def __init__(self, config: CocoConfig) -> None:
        tree = open_tree(config.path)
        entries = with_names(_Resolver(tree, config).entries(), config.names)
        super().__init__(tree.name, tree, config, in_order(entries), config.margin)


class _Resolver:
    """Finds the files that the JSON files mean."""

    def __init__(self, tree: Tree, config: CocoConfig) -> None:
        self.tree = tree
        self.config = config
        self.start = folder_at(tree, config.images) if config.images else ""
        self.images = images_below(tree, self.start)
        if not self.images:
            raise DataError(
                f"{tree.location} holds no images{self._below}: put them there, or set images to their folder."
            )
        self.finder = Finder(self.images)

    def entries(self) -> Iterator[Entry]:
        """Yield the objects of the images that are listed, then the images that are not."""
        listed: dict[str, str] = {}  # the image that lists a path, for messages
        folders: set[str] = set()
        for split, file in self._files():
            for image in file.images.values():
                path = self._find(image)
                if path in listed:
                    raise DataError(f"{image.where} and {listed[path]} both mean {path}: remove one of them.")
                listed[path] = image.where
                folders.add(_start(path, image.file_name))
                yield from _entries(path, split, image, self.config.crowd)
        starts = (self.start,) if self.config.images else tuple(folders)
        for path in self.images:
            if path not in listed and path.startswith(starts):
                yield Entry(path, None)

    @property
    def _below(self) -> str:
        return f" in {self.start}" if self.start else ""

    def _files(self) -> Iterator[tuple[Split | None, CocoFile]]:
        if self.config.splits:
            yield from ((split, read_coco(self.tree, path)) for split, path in self.config.splits.items())
        elif self.config.annotations:
            yield None, read_coco(self.tree, self.config.annotations)
        else:
            yield None, find_coco(self.tree)

    def _find(self, image: CocoImage) -> str:
        paths = self._meant_by(image.file_name)
        if not paths:
            raise DataError(
                f"{image.where} names {image.file_name!r}, which {self.tree.location} does not hold{self._below}: add "
                "the file, or remove the image from the JSON."
            )
        if len(paths) > 1:
            raise DataError(
                f"{image.where} names {image.file_name!r}, which can mean {paths[0]} and {paths[1]}: set images to the "
                "folder that file names start from."
            )
        return paths[0]

    def _meant_by(self, file_name: str) -> list[str]:
        if not self.config.images:
            return self.finder.like(file_name)
        path = self.finder.exact(file_name, self.start)
        return [path] if path else []


def _start(path: str, file_name: str) -> str:
    """The folder that a file name starts from, or the file's own where its name says something else."""
    return path.removesuffix(file_name) if f"/{path}".endswith(f"/{file_name}") else folder_of(path)


def _entries(path: str, split: Split | None, image: CocoImage, crowd: bool) -> Iterator[Entry]:
    if not image.objects:
        yield Entry(path, None, split=split)
    for instance in image.objects:
        if crowd or not instance.crowd:
            yield Entry(path, instance.label, instance.box, split=split)
