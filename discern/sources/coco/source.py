"""COCO: a JSON file of images, annotations and categories, or one such file a split, beside the images.

Rules kept:
- every image gives a photo: one for each of its annotations, or an empty one where it has none; so does an image file
  that lies among the listed ones and is not listed, without a label;
- a polygon, a mask or keypoints give the box around them where there is no bbox;
- an entry that makes no sense, or names a file there is not, is a fault: it is left out with the reason;
- boxes are taken as they are written; whether they fit their picture is known once it is decoded, not here;
- what the JSON names is looked up among the files there are, beside the JSON first, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from discern.errors import DataError
from discern.sources.base import Split
from discern.sources.coco.reader import CocoFile, CocoImage, find_coco, read_coco
from discern.sources.entries import Entry, ListedSource, in_order, with_names
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.named_files import NamedFiles, Wanted
from discern.sources.names import NamesConfig, split_named
from discern.sources.paths import folder_at, folder_of, images_below


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
        annotations: path of the JSON inside it; without it and `splits`, the only JSON of the kind, or those that are
            named after splits or lie in folders that are.
        splits: paths of one JSON a split (train, validation, test) instead.
        images: folder inside `path` that file names start from; without it they are looked up beside their JSON, as
            they are, below any folder, and by their base name.
        margin: what is shown around a box, as a share of its width and height.
        crowd: keep boxes around crowds (`iscrowd`); an image that has no others then gives nothing.
        names: what the photos' paths say of their group and time.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
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
    encoding: str | None = Field(default=None, min_length=1)

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
        DataError: a JSON is missing, damaged or of another kind, or there are no images.
    """

    def __init__(self, config: CocoConfig) -> None:
        tree = open_tree(config.path, config.encoding)
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
        self.files = NamedFiles(self.images)

    def entries(self) -> Iterator[Entry]:
        """Yield the objects of the images that are listed, then the images that are not."""
        files = list(self._files())
        for split, file in files:
            yield from (Entry(where, None, split=split, fault=fault) for where, fault in file.strays)
        images = [_Listed(image, split, file) for split, file in files for image in file.images]
        listed: dict[str, list[_Listed]] = {}  # by path
        folders: set[str] = set()
        for entry, paths in zip(images, self._meant_by(images), strict=True):
            if len(paths) == 1:
                listed.setdefault(paths[0], []).append(entry)
                folders.add(_start(paths[0], entry.image.file_name))
            else:
                fault = self._not_found(entry.image, paths)
                yield Entry(entry.image.file_name, None, split=entry.split, fault=fault)
        for path, entries in listed.items():
            yield from _entries(path, entries, self.config.crowd)
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
            yield from find_coco(self.tree)

    def _not_found(self, image: CocoImage, paths: list[str]) -> str:
        if paths:
            return (
                f"{image.where} names {image.file_name!r}, which can mean {paths[0]} and {paths[1]}: set images to the "
                "folder that file names start from."
            )
        return (
            f"{image.where} names {image.file_name!r}, which {self.tree.location} does not hold{self._below}: add the "
            "file, or remove the image from the JSON."
        )

    def _meant_by(self, images: Sequence[_Listed]) -> list[list[str]]:
        """Return the files that each image can mean; below the folder that the config names nothing is guessed."""
        if self.config.images:
            exact = (self.files.exact(entry.image.file_name, self.start) for entry in images)
            return [[path] if path else [] for path in exact]
        wanted = [Wanted(entry.image.file_name, folder_of(entry.file.path), entry.split) for entry in images]
        return self.files.meant_by_each(wanted)


class _Listed(NamedTuple):
    """An image of a JSON file, and that file."""

    image: CocoImage
    split: Split | None
    file: CocoFile


def _start(path: str, file_name: str) -> str:
    """The folder that a file name starts from, or the file's own where its name says something else."""
    return path.removesuffix(file_name) if f"/{path}".endswith(f"/{file_name}") else folder_of(path)


def _entries(path: str, listed: Sequence[_Listed], crowd: bool) -> Iterator[Entry]:
    """Yield the objects of all that is listed for one file, or the image alone where nothing is in it.

    A file that is listed again in another split is a fault there.
    """
    first = listed[0]
    same = [entry for entry in listed if entry.split == first.split]
    if not any(entry.image.objects or entry.image.faults for entry in same):
        yield Entry(path, None, split=first.split, empty=any(entry.file.is_labelled for entry in same))
    for entry in listed:
        if entry.split == first.split:
            yield from _objects(path, entry, crowd)
        else:
            yield Entry(
                path,
                None,
                split=entry.split,
                fault=f"{entry.image.where} ({entry.split}) and {first.image.where} ({first.split}) both mean {path}: "
                "remove one of them.",
            )


def _objects(path: str, listed: _Listed, crowd: bool) -> Iterator[Entry]:
    image, split = listed.image, listed.split
    if image.faults and not image.objects:
        yield Entry(path, None, split=split, fault=image.faults[0])
    for instance in image.objects:
        if instance.crowd and not crowd:
            continue
        fault = instance.fault or (image.faults[0] if image.faults else None)
        yield Entry(path, instance.label, instance.box, split, stated_size=image.stated_size, fault=fault)
