"""One annotation of a COCO file: the box around its thing, from its bbox, its outline, its mask or its keypoints."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from discern.sources.outlines import around_numbers, around_points, around_runs, around_turned, run_lengths
from discern.sources.parsing import FAR, pixels
from edge_runtime.core.images import Box

WANTED = (
    "four finite numbers [left, top, width, height], or a segmentation or keypoints to take them from, are needed: "
    "correct it, or remove the annotation."
)


def box_of(record: Mapping[str, Any]) -> Box | str:
    """Return the box of an annotation, or the reason why it has none.

    A bbox of five numbers is turned about its centre, as Detectron2 writes it; one of eight holds four corners.
    """
    bbox = record.get("bbox")
    box = _by_bbox(bbox)
    if box is None or _is_empty(box):
        box = _by_segmentation(record.get("segmentation")) or _by_keypoints(record.get("keypoints")) or box
    if box is not None:
        return box
    text = json.dumps(bbox)
    return f"has the bbox {text[:80]}, and {WANTED}"


def _by_bbox(bbox: Any) -> Box | None:
    numbers = _numbers(bbox)
    if numbers is None:
        return None
    if len(numbers) == 4:
        left, top, width, height = numbers
        return left, top, pixels(left + width), pixels(top + height)
    if len(numbers) == 5:
        return around_turned((numbers[0], numbers[1]), (numbers[2], numbers[3]), math.radians(numbers[4]))
    return around_numbers(numbers) if len(numbers) == 8 else None


def _by_segmentation(segmentation: Any) -> Box | None:
    """Return the box around polygons (a list of lists, or one list), or around a mask's run lengths."""
    if isinstance(segmentation, dict):
        return _by_mask(segmentation)
    if not isinstance(segmentation, list):
        return None
    polygons = [segmentation] if _numbers(segmentation) else segmentation
    boxes = [box for polygon in polygons if (numbers := _numbers(polygon)) and (box := around_numbers(numbers))]
    return around_points(corner for box in boxes for corner in (box[:2], box[2:]))


def _by_mask(mask: Mapping[str, Any]) -> Box | None:
    size, counts = _numbers(mask.get("size")), mask.get("counts")
    if size is None or len(size) != 2:
        return None
    lengths = run_lengths(counts) if isinstance(counts, str) else _numbers(counts)
    return around_runs([int(length) for length in lengths], int(size[0])) if lengths else None


def _by_keypoints(keypoints: Any) -> Box | None:
    """Return the box around the keypoints that are marked, each x, y and a mark."""
    numbers = _numbers(keypoints)
    if numbers is None or len(numbers) % 3:
        return None
    points = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return around_points((x, y) for x, y, mark in points if mark > 0)


def _is_empty(box: Box) -> bool:
    left, top, right, bottom = box
    return left == right or top == bottom


def _numbers(values: Any) -> Sequence[float] | None:
    """Return a list of finite numbers, none of them absurd; None for anything else, an empty list too."""
    if not isinstance(values, list) or not values or not all(map(_is_number, values)):
        return None
    return [float(value) for value in values]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < FAR
