"""CVAT for images 1.1: an XML file of all images with their shapes, beside the images.

Rules kept:
- every image of the XML gives a photo: one for each of its shapes, else one for each of its tags, which label the whole
  picture, else an empty one; an image file that lies among them and is not in the XML has no label;
- a shape that is no box gives the box around it; what makes no sense is a fault, left out with the reason;
- what the XML names is looked up among the files there are, beside the XML first, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.sources.base import Split, StatedSize
from discern.sources.cvat.shapes import CvatShape, shapes_of
from discern.sources.entries import Entry, ListedSource, in_order, with_names
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.named_files import NamedFiles, Wanted
from discern.sources.names import NamesConfig, split_in_words, split_of_path
from discern.sources.parsing import LARGE, read_whole, stated_size
from discern.sources.paths import file_at, folder_of, images_below
from discern.sources.xml import parse_xml


class CvatConfig(BaseModel):
    """A data set in CVAT's own XML ("CVAT for images 1.1").

    Args:
        path: the folder or archive that holds the XML and the images, at any depth.
        annotations: path of the XML inside it; without it, every such XML counts.
        margin: what is shown around a box, as a share of its width and height.
        names: what the photos' paths say of their group and time.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cvat"] = "cvat"
    path: str = Field(min_length=1)
    annotations: str | None = Field(default=None, min_length=1)
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    names: NamesConfig | None = None
    encoding: str | None = Field(default=None, min_length=1)


class CvatSource(ListedSource):
    """Shapes in the photos of a CVAT export, by image, box and label.

    Raises:
        DataError: there is no such XML, it is damaged or of a video, or there are no images.
    """

    def __init__(self, config: CvatConfig) -> None:
        tree = open_tree(config.path, config.encoding)
        entries = with_names(_entries(tree, config), config.names)
        super().__init__(tree.name, tree, config, in_order(entries), config.margin)


class _Image(NamedTuple):
    """An <image> of an XML file."""

    name: str
    near: str
    where: str
    split: Split | None
    stated_size: StatedSize | None
    shapes: list[CvatShape]


def _entries(tree: Tree, config: CvatConfig) -> Iterator[Entry]:
    images = images_below(tree)
    if not images:
        raise DataError(f"{tree.location} holds no images: export the data set with its images.")
    files = NamedFiles(images)
    listed: dict[str, str] = {}  # the image that lists a path, for messages
    of_xml = list(_images(tree, config))
    found = files.meant_by_each([Wanted(image.name, image.near, image.split) for image in of_xml])
    for image, paths in zip(of_xml, found, strict=True):
        if len(paths) != 1:
            yield Entry(image.name, None, split=image.split, fault=_not_found(tree, image, paths))
        elif paths[0] in listed:
            fault = f"{image.where} and {listed[paths[0]]} both mean {paths[0]}: remove one of them."
            yield Entry(paths[0], None, split=image.split, fault=fault)
        else:
            listed[paths[0]] = image.where
            yield from _things(paths[0], image)
    folders = tuple({folder_of(path) for path in listed})
    yield from (Entry(path, None) for path in images if path not in listed and path.startswith(folders))


def _things(path: str, image: _Image) -> Iterator[Entry]:
    shapes = [shape for shape in image.shapes if shape.box is not None or shape.fault is not None]
    if not image.shapes:
        yield Entry(path, None, split=image.split, empty=True)
    for shape in shapes or image.shapes:
        yield Entry(path, shape.label, shape.box, image.split, stated_size=image.stated_size, fault=shape.fault)


def _not_found(tree: Tree, image: _Image, paths: list[str]) -> str:
    if paths:
        return f"{image.where} can mean {paths[0]} and {paths[1]}: keep the folders of the export."
    return f"{image.where} is not in {tree.location}: add the image, or remove it from the XML."


def _images(tree: Tree, config: CvatConfig) -> Iterator[_Image]:
    for path, root in _files(tree, config):
        split = split_in_words(path.rpartition("/")[2]) or split_of_path(path)
        for element in root.iter("image"):
            name = element.get("name", "").strip()
            where = f"image {name or element.get('id')!r} of {path}"
            size = stated_size(element.get("width"), element.get("height"))
            subset = split_in_words(element.get("subset", "")) or split_of_path(name)
            yield _Image(name, folder_of(path), where, subset or split, size, list(shapes_of(element, where)))


def _files(tree: Tree, config: CvatConfig) -> Iterator[tuple[str, Any]]:
    """Yield path and root of each XML of the kind.

    Raises:
        DataError: there is none, or one is damaged or of a video.
    """
    named = file_at(tree, config.annotations) if config.annotations else None
    if config.annotations and named is None:
        raise DataError(
            f"{tree.location} holds no file {config.annotations!r}: set annotations to the path of its XML."
        )
    paths = [named] if named else [path for path in tree.files if path.lower().endswith(".xml")]
    found = False
    for path in paths:
        root = parse_xml(path, read_whole(tree, path, LARGE))
        if root.tag != "annotations":
            continue
        if root.find("track") is not None:
            raise DataError(f'{path} is CVAT\'s XML of a video: export it as "CVAT for images 1.1", with its images.')
        found = True
        yield path, root
    if not found:
        raise DataError(
            f'{tree.location} holds no XML with <annotations>: export it from CVAT as "CVAT for images 1.1".'
        )
