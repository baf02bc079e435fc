"""Label Studio's JSON and JSON-MIN: tasks, each an image with what people said of it. Pure: JSON values in, values out.

Coordinates are in percent of the picture's sides, and the size of the picture stands beside each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from discern.errors import DataError
from discern.sources.base import UNSTATED, Provenance, StatedSize
from discern.sources.names import clean_label, in_utc
from discern.sources.outlines import around_corner_turned, around_ellipse, around_points
from discern.sources.parsing import FAR, pixels, stated_size
from discern.sources.paths import is_image
from edge_runtime.core.images import Box

IMAGE_KEYS = ("image", "img", "photo", "picture", "url")  # names that people give to a task's image, the usual first
SHAPES = ("rectangle", "polygon", "ellipse", "keypoint", "brush")


class Thing(NamedTuple):
    """One thing in a picture, or the whole picture where it has no box; or the reason why it is neither."""

    label: str | None
    box: Box | None
    stated_size: StatedSize | None = None
    fault: str | None = None


class Opinion(NamedTuple):
    """The result of one annotator."""

    things: list[Thing]
    is_truth: bool
    provenance: Provenance = UNSTATED


class Task(NamedTuple):
    """One task: its image as it is written, and the opinions on it, without those that were skipped."""

    image: str
    where: str
    opinions: list[Opinion]


def read_task(record: Any, where: str) -> Task:
    """Read a task of either format.

    Args:
        record: a member of the JSON's list.
        where: what messages call it.

    Raises:
        DataError: it is no task, or has no image.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"{where} is no task of Label Studio: export the project as JSON.")
    where = f"task {record['id']} of {where.partition(' of ')[2]}" if isinstance(record.get("id"), int) else where
    data = record.get("data")
    is_minimal = not isinstance(data, Mapping)
    image = _image(data if isinstance(data, Mapping) else record)
    if image is None:
        raise DataError(f"{where} has no image: remove it, or export the project of the images.")
    if is_minimal:
        return Task(image, where, _minimal_opinions(record, where))
    annotations = record.get("annotations", record.get("completions"))
    opinions = [
        _opinion(annotation, where)
        for annotation in (annotations if isinstance(annotations, list) else [])
        if isinstance(annotation, Mapping) and not annotation.get("was_cancelled")
    ]
    return Task(image, where, opinions)


def _image(data: Mapping[str, Any]) -> str | None:
    named = [data[key] for key in IMAGE_KEYS if isinstance(data.get(key), str)]
    others = [value for value in data.values() if isinstance(value, str) and is_image(value.partition("&")[0])]
    return next(iter([*named, *others]), None)


def _opinion(annotation: Mapping[str, Any], where: str) -> Opinion:
    results = annotation.get("result")
    regions = [result for result in results if isinstance(result, Mapping)] if isinstance(results, list) else []
    things = list(_things(regions, where))
    return Opinion(things, bool(annotation.get("ground_truth")), _provenance(annotation))


def _provenance(annotation: Mapping[str, Any]) -> Provenance:
    by = annotation.get("completed_by")
    name = by.get("email") if isinstance(by, Mapping) else by
    at = annotation.get("updated_at") or annotation.get("created_at")
    try:
        labelled_at = in_utc(datetime.fromisoformat(at)) if isinstance(at, str) else None
    except (ValueError, OverflowError):  # a time that cannot be read is none; the label is whole
        labelled_at = None
    return Provenance(None if name is None else str(name), "annotation", labelled_at)


def _things(results: Sequence[Mapping[str, Any]], where: str) -> Iterator[Thing]:
    """Yield what an annotator said; the parts of one region (its shape, its label, its choices) share an id."""
    regions: dict[Any, list[Mapping[str, Any]]] = {}
    for place, result in enumerate(results):
        regions.setdefault(result.get("id") or place, []).append(result)
    for name, parts in regions.items():
        labels = [label for part in parts for label in _labels(part)]
        choices = [choice for part in parts for choice in _choices(part)]
        shape = next((part for part in parts if _shape_of(part)), None)
        if shape is None:
            yield from (_whole(choice, where) for choice in choices)
        else:
            named = dict.fromkeys(labels or choices or [""])
            yield from (_boxed(shape, label, f"region {name!r} of {where}") for label in named)


def _minimal_opinions(record: Mapping[str, Any], where: str) -> list[Opinion]:
    """Return the opinion of JSON-MIN, whose tasks have their results as fields of any name; none where it has none."""
    things: list[Thing] = []
    for value in record.values():
        if isinstance(value, list):
            regions = [region for region in value if isinstance(region, Mapping)]
            flat = [{"value": region, **region, "id": place} for place, region in enumerate(regions)]
            things += _things([region for region in flat if _shape_of(region)], where)
    if not things and isinstance(record.get("choice"), str):
        things.append(_whole(record["choice"], where))
    by = record.get("annotator", record.get("completed_by"))
    is_annotated = by is not None or record.get("annotation_id") is not None
    provenance = Provenance(None if by is None else str(by), "annotation")
    return [Opinion(things, False, provenance)] if things or is_annotated else []


def _shape_of(region: Mapping[str, Any]) -> str | None:
    """Return the shape of a region, or None for one that only says something."""
    value = region.get("value")
    if not isinstance(value, Mapping):
        return None
    kind = str(region.get("type", ""))
    by_kind = next((shape for shape in SHAPES if kind.startswith(shape)), None)
    return by_kind or next((shape for shape, keys in _KEYS.items() if keys <= value.keys()), None)


_KEYS = {
    "rectangle": {"x", "y", "width", "height"},
    "ellipse": {"x", "y", "radiusX", "radiusY"},
    "polygon": {"points"},
    "brush": {"rle"},
}


def _labels(result: Mapping[str, Any]) -> list[str]:
    """Return the names under the key of a tool, such as `rectanglelabels`, or of `labels`."""
    value = result.get("value")
    keys = [key for key in value if key.endswith("labels")] if isinstance(value, Mapping) else []
    return _texts(value[keys[0]]) if isinstance(value, Mapping) and keys else []


def _choices(result: Mapping[str, Any]) -> list[str]:
    """Return what was chosen; of a taxonomy the last part."""
    value = result.get("value")
    return _texts(value.get("choices") or value.get("taxonomy")) if isinstance(value, Mapping) else []


def _texts(names: Any) -> list[str]:
    if not isinstance(names, list):
        return []
    return [str(name[-1] if isinstance(name, list) and name else name) for name in names]


def _whole(label: str, where: str) -> Thing:
    try:
        return Thing(clean_label(label, where), None)
    except DataError as error:
        return Thing(None, None, fault=str(error))


def _boxed(region: Mapping[str, Any], label: str, where: str) -> Thing:
    size = stated_size(region.get("original_width"), region.get("original_height"))
    try:
        name = clean_label(label, where)
        if size is None:
            raise DataError(f"{where} does not state the size of its picture: export the project as JSON again.")
        if region.get("image_rotation"):
            raise DataError(
                f"{where} was drawn on a picture turned by {region['image_rotation']} degrees in Label Studio: turn "
                "the file itself, and draw it again."
            )
        return Thing(name, _box(region, size, where), size)
    except DataError as error:
        return Thing(None, None, fault=str(error))


def _box(region: Mapping[str, Any], size: StatedSize, where: str) -> Box:
    """Return the box around a region, pixels of a picture of the stated size."""
    around = _AROUND.get(_shape_of(region) or "")
    try:
        box = None if around is None else around(region["value"], size)
    except (KeyError, TypeError, ValueError):
        box = None
    if box is None or not all(abs(side) < FAR for side in box):
        kind = region.get("type", "shape")
        raise DataError(f"{where} is a {kind} without an outline that is read here: draw a box, or remove it.")
    left, top, right, bottom = box
    return pixels(left), pixels(top), pixels(right), pixels(bottom)


def _rectangle(value: Mapping[str, Any], size: StatedSize) -> Box:
    left, top = value["x"] * size.width / 100, value["y"] * size.height / 100
    width, height = value["width"] * size.width / 100, value["height"] * size.height / 100
    return around_corner_turned((left, top), (width, height), value.get("rotation") or 0)


def _ellipse(value: Mapping[str, Any], size: StatedSize) -> Box:
    centre = value["x"] * size.width / 100, value["y"] * size.height / 100
    radii = value["radiusX"] * size.width / 100, value["radiusY"] * size.height / 100
    return around_ellipse(centre, radii, value.get("rotation") or 0)


def _polygon(value: Mapping[str, Any], size: StatedSize) -> Box | None:
    return around_points((x * size.width / 100, y * size.height / 100) for x, y in value["points"])


_AROUND: Mapping[str, Callable[[Mapping[str, Any], StatedSize], Box | None]] = {
    "rectangle": _rectangle,
    "ellipse": _ellipse,
    "polygon": _polygon,
}
