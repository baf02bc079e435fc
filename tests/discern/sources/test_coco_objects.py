"""The box of a COCO annotation, by whatever outline it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from discern.sources.coco.objects import box_of

SQUARE = [[10, 20, 30, 20, 30, 50, 10, 50]]


def runs(mask: np.ndarray) -> list[int]:
    """COCO's run lengths of a mask [h, w], written down here anew."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts = [0, *edges, len(flat)]
    lengths = list(np.diff(starts))
    return [int(length) for length in (lengths if flat[0] == 0 else [0, *lengths])]


def compressed(counts: list[int]) -> str:
    """COCO's letters for run lengths (`rleToString` of the COCO API), written down here anew."""
    letters = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            letters.append(chr(bits + (0x20 if more else 0) + 48))
    return "".join(letters)


def test_the_bbox_goes_before_other_outlines() -> None:
    assert box_of({"bbox": [1, 2, 3, 4], "segmentation": SQUARE}) == (1, 2, 4, 6)


@pytest.mark.parametrize("bbox", [None, [], [0, 0, 0, 0], [float("nan"), 1, 2, 3]])
@pytest.mark.parametrize(
    "outline",
    [
        {"segmentation": SQUARE},
        {"segmentation": SQUARE[0]},
        {"segmentation": [[10, 20, 11, 20, 11, 21], [29, 49, 30, 50, 29, 50], []]},
        {"keypoints": [10, 20, 2, 0, 0, 0, 30, 50, 1]},
    ],
)
def test_an_outline_gives_the_box_around_it(bbox: Any, outline: dict[str, Any]) -> None:
    assert box_of({"bbox": bbox, **outline}) == (10, 20, 30, 50)


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_gives_the_box_around_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((37, 53), np.uint8)
    top, left = rng.integers(0, 15, 2)
    mask[top : top + 20, left : left + 30] = rng.integers(0, 2, (20, 30))
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    counts = runs(mask)
    assert box_of({"segmentation": {"size": [37, 53], "counts": counts}}) == box
    assert box_of({"segmentation": {"size": [37, 53], "counts": compressed(counts)}}) == box


def test_a_full_mask_is_the_whole_picture() -> None:
    assert box_of({"segmentation": {"size": [5, 7], "counts": [0, 35]}}) == (0, 0, 7, 5)


@pytest.mark.parametrize(
    "mask",
    [
        {"size": [5, 7], "counts": [35]},
        {"size": [5, 7], "counts": []},
        {"size": [5], "counts": [3, 4]},
        {"size": [0, 7], "counts": [3, 4]},
        {"size": [5, 7], "counts": [3, -4]},
        {"size": [5, 7], "counts": "\x00"},
        {"size": [5, 7], "counts": "o"},
        {"counts": [1, 2]},
    ],
)
def test_a_mask_of_nothing_is_no_box(mask: dict[str, Any]) -> None:
    assert str(box_of({"bbox": [], "segmentation": mask})).startswith("has the bbox [], and four finite numbers")


def test_turned_boxes_give_the_box_around_them() -> None:
    assert box_of({"bbox": [50, 40, 20, 10, 90]}) == (45, 30, 55, 50)
    assert box_of({"bbox": [10, 20, 30, 25, 25, 50, 5, 45]}) == (5, 20, 30, 50)
