"""One VOC annotation: the image that it describes, and its objects. Pure: an XML element in, values out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from discern.errors import DataError
from discern.sources.base import StatedSize
from discern.sources.names import clean_label
from discern.sources.outlines import around_points, around_turned
from discern.sources.parsing import is_yes, number, stated_size
from discern.sources.xml import child, children, parse_xml, text_of
from edge_runtime.core.images import Box

CORNERS = ("xmin", "ymin", "xmax", "ymax")
TURNED = ("cx", "cy", "w", "h", "angle")  # of roLabelImg; the angle in radians


class VocObject(NamedTuple):
    """One object, or the reason why it is none."""

    label: str | None
    box: Box | None
    is_difficult: bool
    fault: str | None = None


class VocAnnotation(NamedTuple):
    """The content of an XML file.

    Attributes:
        filename: the image's, as it is written; empty where none is.
        stated_size: the picture's, where both sides are written.
        objects: in their order.
    """

    filename: str
    stated_size: StatedSize | None
    objects: list[VocObject]


def read_annotation(path: str, data: bytes, first: float = 0.0) -> VocAnnotation:
    """Read an XML file.

    Args:
        path: what messages call it.
        data: its content.
        first: the number of the first pixel.

    Raises:
        DataError: it is damaged, or no VOC annotation.
    """
    root = parse_xml(path, data)
    if root.tag.lower() != "annotation":
        mend = "set kind to cvat" if root.tag == "annotations" else "remove it from the annotations"
        raise DataError(f"{path} holds <{root.tag}> and not a VOC <annotation>: {mend}.")
    size = child(root, "size")
    stated = None if size is None else stated_size(text_of(size, "width"), text_of(size, "height"))
    elements = enumerate(children(root, "object"), start=1)
    objects = [_object(element, f"object {place} of {path}", first) for place, element in elements]
    return VocAnnotation(text_of(root, "filename") or "", stated, objects)


def _object(element: Any, where: str, first: float) -> VocObject:
    is_difficult = is_yes(text_of(element, "difficult"))
    try:
        return VocObject(_label(element, where), _box(element, where, first), is_difficult)
    except DataError as error:
        return VocObject(None, None, is_difficult, str(error))


def _label(element: Any, where: str) -> str:
    name = text_of(element, "name")
    if name is None:
        raise DataError(f"{where} has no <name>: add it, or remove the object.")
    return clean_label(name, where)


def _box(element: Any, where: str, first: float) -> Box:
    """Return the box, or the box around a turned box or a polygon, which tools write in its place."""
    corners, turned = child(element, "bndbox"), child(element, "robndbox")
    if corners is not None or turned is None:
        outline = _outline(element, where) if corners is None else None
        return outline or _corners(corners, where, first)
    x, y, width, height, angle = (_number(turned, key, "robndbox", where) for key in TURNED)
    return around_turned((x - first, y - first), (width, height), angle)


def _corners(element: Any, where: str, first: float) -> Box:
    if element is None:
        raise DataError(f"{where} has no <bndbox>: draw a box, or remove the object.")
    left, top, right, bottom = (_number(element, key, "bndbox", where) for key in CORNERS)
    return left - first, top - first, right, bottom


def _outline(element: Any, where: str) -> Box | None:
    """Return the box around a <polygon>, or None where there is none."""
    polygon = child(element, "polygon")
    return None if polygon is None else around_points(list(_points(polygon, where)))


def _points(polygon: Any, where: str) -> Iterator[tuple[float, float]]:
    """Yield the points of <pt><x/><y/></pt>, as LabelMe writes them, or of <x1/><y1/><x2/><y2/>, as others do."""
    for point in [*children(polygon, "pt"), *children(polygon, "point")]:
        yield _number(point, "x", "polygon", where), _number(point, "y", "polygon", where)
    for place in range(1, 1 + len(polygon) // 2):
        if child(polygon, f"x{place}") is not None:
            yield _number(polygon, f"x{place}", "polygon", where), _number(polygon, f"y{place}", "polygon", where)


def _number(element: Any, key: str, tag: str, where: str) -> float:
    text = text_of(element, key)
    if text is None:
        raise DataError(f"{where} has no <{key}> in its <{tag}>: add it, or remove the object.")
    return number(text, f"<{key}> of {where}")
