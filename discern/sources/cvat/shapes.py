"""The shapes in CVAT's XML, and the boxes around them. Pure: an XML element in, values out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from discern.errors import DataError
from discern.sources.names import clean_label
from discern.sources.outlines import around_ellipse, around_points, around_turned
from discern.sources.parsing import number
from edge_runtime.core.images import Box


class CvatShape(NamedTuple):
    """One thing in an image, or the reason why it is none; a tag has no box."""

    label: str | None
    box: Box | None
    fault: str | None = None


def shapes_of(image: Any, where: str) -> Iterator[CvatShape]:
    """Yield the shapes and tags of an <image>.

    Args:
        image: the element.
        where: what messages call it.
    """
    for place, element in enumerate(image, start=1):
        if isinstance(element.tag, str):
            yield _shape(element, f"shape {place} (<{element.tag}>) of {where}")


def _shape(element: Any, where: str) -> CvatShape:
    try:
        label = clean_label(element.get("label", "").strip(), where)
        if element.tag == "tag":
            return CvatShape(label, None)
        return CvatShape(label, _box(element, where))
    except DataError as error:
        return CvatShape(None, None, str(error))


def _box(element: Any, where: str) -> Box:
    around = _AROUND.get(element.tag)
    box = None if around is None else around(element, where)
    if box is None:
        raise DataError(f"{where} has no outline that is read here: draw a box, or remove it.")
    return box


def _rectangle(element: Any, where: str) -> Box:
    left, top, right, bottom = (_number(element, key, where) for key in ("xtl", "ytl", "xbr", "ybr"))
    angle = math.radians(_number(element, "rotation", where, 0.0))
    if not angle:
        return left, top, right, bottom
    return around_turned(((left + right) / 2, (top + bottom) / 2), (right - left, bottom - top), angle)


def _polygon(element: Any, where: str) -> Box | None:
    pairs = [pair.split(",") for pair in element.get("points", "").split(";") if pair.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise DataError(f"{where} has points that are not x,y;x,y: export it again.")
    return around_points((number(x, where), number(y, where)) for x, y in pairs)


def _ellipse(element: Any, where: str) -> Box:
    x, y, a, b = (_number(element, key, where) for key in ("cx", "cy", "rx", "ry"))
    return around_ellipse((x, y), (a, b), _number(element, "rotation", where, 0.0))


def _mask(element: Any, where: str) -> Box:
    """Return the box that holds the mask's pixels; its run lengths start at this box."""
    left, top, width, height = (_number(element, key, where) for key in ("left", "top", "width", "height"))
    return left, top, left + width, top + height


def _cuboid(element: Any, where: str) -> Box | None:
    corners = ("tl1", "bl1", "tr1", "br1", "tl2", "bl2", "tr2", "br2")
    return around_points(
        (_number(element, f"x{corner}", where), _number(element, f"y{corner}", where))
        for corner in corners
        if element.get(f"x{corner}") is not None
    )


def _skeleton(element: Any, where: str) -> Box | None:
    boxes = [box for part in element.iter("points") if part.get("outside") != "1" and (box := _polygon(part, where))]
    return around_points(corner for box in boxes for corner in (box[:2], box[2:]))


def _number(element: Any, key: str, where: str, default: float | None = None) -> float:
    text = element.get(key)
    if text is None and default is not None:
        return default
    if text is None:
        raise DataError(f"{where} has no {key}: export it again, or remove it.")
    return number(text, f"{key} of {where}")


_AROUND: Mapping[str, Callable[[Any, str], Box | None]] = {
    "box": _rectangle,
    "polygon": _polygon,
    "polyline": _polygon,
    "points": _polygon,
    "ellipse": _ellipse,
    "mask": _mask,
    "cuboid": _cuboid,
    "skeleton": _skeleton,
}
