"""YOLO: text files of `class, centre x, centre y, width, height` a line, as shares of the picture's sides.

Rules kept:
- every image gives a photo: one for each line of its labels, an empty one where its file has no line, or one without a
  label where it has no file;
- a line of more numbers is a polygon, or a turned box of four corners, and the box around it is taken;
- a line that makes no sense is a fault: that thing is left out with the reason;
- `Photo.box` is in pixels and must be known before a photo is loaded. So this source, and no other, reads each picture
  that has labels twice: for its size while photos are streamed, and whenever it is loaded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.map_ahead import map_ahead
from discern.sources.base import Photo
from discern.sources.entries import Entry, ListedSource, in_order, with_names
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import NamesConfig
from discern.sources.orientation import SIDEWAYS, TAG
from discern.sources.outlines import around_numbers
from discern.sources.parsing import number, pixels, read_text
from discern.sources.yolo.layout import YoloLayout, read_layout
from discern.sources.yolo.names import written_class
from edge_runtime.core.images import DAMAGE, FORMATS, Box

TOLERANCE = 0.01  # by which a tool's rounding may carry a share out of 0 to 1, as Ultralytics has it


class YoloConfig(BaseModel):
    """A data set in the format of YOLO.

    Args:
        path: the folder or archive that holds `data.yaml` (or another YAML of the kind), `obj.data` or `classes.txt`,
            the images and their labels, at any depth.
        data: path of the YAML inside it, where there are several.
        margin: what is shown around a box, as a share of its width and height.
        names: what the photos' paths say of their group and time.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["yolo"] = "yolo"
    path: str = Field(min_length=1)
    data: str | None = Field(default=None, min_length=1)
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    names: NamesConfig | None = None
    encoding: str | None = Field(default=None, min_length=1)


class YoloSource(ListedSource):
    """Objects in the photos of a YOLO data set, by image, box and label.

    Raises:
        DataError: the layout is not YOLO's, or labels have two images.
    """

    def __init__(self, config: YoloConfig) -> None:
        tree = open_tree(config.path, config.encoding)
        layout = read_layout(tree, config.data)
        entries = with_names(_entries(tree, layout), config.names)  # their boxes in shares
        super().__init__(tree.name, tree, config, in_order(entries), config.margin)

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; the header of each that has labels is read."""
        groups = [list(group) for _, group in groupby(self._entries, key=attrgetter("path"))]
        for group, size in map_ahead(self._size, groups):
            for entry in group:
                yield self._photo(entry if entry.box is None else entry._replace(box=_in_pixels(entry.box, size)))

    def _size(self, group: list[Entry]) -> tuple[int, int] | None:
        return upright_size(self._tree.read(group[0].path)) if any(entry.box for entry in group) else None


def upright_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of an encoded picture after EXIF's orientation, or None where it is no picture."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            return (height, width) if image.getexif().get(TAG) in SIDEWAYS else (width, height)
    except (*DAMAGE, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _in_pixels(box: Box, size: tuple[int, int] | None) -> Box | None:
    """A box of shares in pixels; None where the picture cannot be decoded, and will be refused as a whole."""
    if size is None:
        return None
    (left, top, right, bottom), (width, height) = box, size
    return pixels(left * width), pixels(top * height), pixels(right * width), pixels(bottom * height)


def _entries(tree: Tree, layout: YoloLayout) -> Iterator[Entry]:
    files = frozenset(tree.files)
    described = [path for path in layout.labels if path in files]
    for path, text in map_ahead(partial(_text, tree), described):
        image = layout.labels[path]
        split = layout.splits.get(image)
        if isinstance(text, DataError):
            yield Entry(image, None, split=split, fault=str(text))
        else:
            objects = list(_objects(path, text, layout))
            yield from (
                entry._replace(path=image, split=split) for entry in objects or [Entry(image, None, empty=True)]
            )
    for path, image in layout.labels.items():
        if path not in files:
            yield Entry(image, None, split=layout.splits.get(image))
    yield from (Entry(name, None, fault=fault) for name, fault in layout.faults)


def _text(tree: Tree, path: str) -> str | DataError:
    try:
        return read_text(tree, path)
    except DataError as error:
        return error


def _objects(path: str, text: str, layout: YoloLayout) -> Iterator[Entry]:
    for number_of_line, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _object(line.split(), layout, f"line {number_of_line} of {path}")


def _object(cells: list[str], layout: YoloLayout, where: str) -> Entry:
    """Return what a line says, or the fault that it is; its image is filled in later."""
    class_of_object = written_class(cells[0])
    label = None if class_of_object is None else layout.names.get(class_of_object)
    try:
        if label is None:
            raise DataError(f"{where} has the class {cells[0][:50]!r}, which has no name: correct it, or add the name.")
        return Entry("", label, _box([number(cell, where) for cell in cells[1:]], layout.keypoints, where))
    except DataError as error:
        return Entry("", label, fault=str(error))


def _box(numbers: list[float], keypoints: int, where: str) -> Box:
    if len(numbers) == 4 + keypoints:
        x, y, width, height = _shares(numbers[:4], where)  # a point's third number says whether it is seen: 0, 1 or 2
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(numbers) >= 6 and not keypoints and (around := around_numbers(numbers)):
        return around_numbers(_shares(numbers, where)) or around
    wanted = f"{4 + keypoints}" if keypoints else "4 (a box) or 6, 8, 10 ... (a polygon)"
    raise DataError(f"{where} has {len(numbers)} numbers after its class, and {wanted} are needed: correct it.")


def _shares(numbers: list[float], where: str) -> list[float]:
    """Return numbers within 0 to 1; one that rounding carried out of it by `TOLERANCE` or less is cut."""
    for share in numbers:
        if not -TOLERANCE <= share <= 1 + TOLERANCE:
            raise DataError(f"{where} has {share:g}, and shares of a picture's sides are 0 to 1: correct it.")
    return [min(1.0, max(0.0, share)) for share in numbers]
