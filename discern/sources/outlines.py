"""The box around a thing that was outlined in another way: as a polygon, a mask, a turned box, an ellipse.

Boxes are (left, top, right, bottom) in the unit of the outline. All functions are pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate

from discern.sources.parsing import pixels
from edge_runtime.core.images import Box

MAX_SIDE = 1 << 20  # pixels of a mask


def around_points(points: Iterable[tuple[float, float]]) -> Box | None:
    """Return the box around some points, or None where there are none."""
    listed = list(points)
    if not listed:
        return None
    across, down = zip(*listed, strict=True)
    return min(across), min(down), max(across), max(down)


def around_numbers(numbers: Sequence[float]) -> Box | None:
    """Return the box around points that are written as x, y, x, y; None where a number is over, or there are none."""
    if len(numbers) % 2:
        return None
    return around_points(zip(numbers[::2], numbers[1::2], strict=True))


def around_turned(centre: tuple[float, float], size: tuple[float, float], angle: float) -> Box:
    """Return the box around a box that is turned about its centre.

    Args:
        centre: x and y.
        size: width and height before it was turned.
        angle: radians; its sign makes no difference to the result.
    """
    (x, y), (width, height) = centre, size
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    across, down = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    return pixels(x - across), pixels(y - down), pixels(x + across), pixels(y + down)


def around_corner_turned(left_top: tuple[float, float], size: tuple[float, float], degrees: float) -> Box:
    """Return the box around a box that is turned clockwise about its left upper corner, as Label Studio turns it."""
    (left, top), (width, height) = left_top, size
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    turned = [(left + x * cos - y * sin, top + x * sin + y * cos) for x, y in corners]
    across, down = zip(*turned, strict=True)
    return pixels(min(across)), pixels(min(down)), pixels(max(across)), pixels(max(down))


def around_ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float) -> Box:
    """Return the box around an ellipse that is turned about its centre."""
    (x, y), (a, b) = centre, radii
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = math.hypot(a * cos, b * sin), math.hypot(a * sin, b * cos)
    return pixels(x - across), pixels(y - down), pixels(x + across), pixels(y + down)


def around_runs(counts: Sequence[int], height: int) -> Box | None:
    """Return the box around a mask in COCO's run lengths, or None where the mask is empty or makes no sense.

    Args:
        counts: lengths of the runs of 0 and 1 by turns, 0 first, down the columns.
        height: of the mask, pixels.
    """
    if not 0 < height <= MAX_SIDE or any(count < 0 for count in counts):
        return None
    ends = list(accumulate(counts))
    runs = [(end - count, end - 1) for end, count in zip(ends[1::2], counts[1::2], strict=False) if count]
    if not runs or ends[-1] > height * MAX_SIDE:
        return None
    spans = [_rows(first, last, height) for first, last in runs]
    top, bottom = min(first for first, _ in spans), max(last for _, last in spans)
    left, right = runs[0][0] // height, runs[-1][1] // height
    return float(left), float(top), float(right + 1), float(bottom + 1)


def _rows(first: int, last: int, height: int) -> tuple[int, int]:
    """Return the first and the last row that a run covers: all rows where it reaches from one column into the next."""
    is_one_column = first // height == last // height
    return (first % height, last % height) if is_one_column else (0, height - 1)


def run_lengths(text: str) -> list[int] | None:
    """Decode COCO's compressed run lengths: numbers of 5 bits a letter, each but the first three a difference to the
    last but one (`rleFrString` of the COCO API); None where the text is cut.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return None if shift else counts
