"""Whole images with all that they show, as a detector learns from them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from discern.sources.base import Split
from edge_runtime.core.images import Box

# A picture that shows a held-out instance is held out, though it shows an instance of training as well.
_PRECEDENCE: tuple[Split, ...] = ("test", "validation", "train")
_COLUMNS = ("sha256", "label", "box", "margin", "split", "source", "width", "height")


@dataclass(frozen=True, slots=True)
class ImageInstance:
    """One thing in an image.

    Args:
        row: its row in the version.
        label: its class.
        box: left, top, right, bottom in pixels of the upright picture; None for the whole picture.
        margin: shown around the box, as a share of its sides.
        split: its own split: of two classes in one picture, one may be held out.
    """

    row: int
    label: str
    box: Box | None
    margin: float
    split: Split


@dataclass(frozen=True, slots=True)
class WholeImage:
    """A picture with its instances; an empty image has none.

    Args:
        number: its number among all whole images of the version, instances or not.
        sha256: of the encoded image.
        source: name of the source, a slash, name of the photo in it.
        split: the split of its instances; where they differ, test comes before validation before train.
        size: width and height of the upright picture, pixels; None where nobody measured it (manifests of format 1).
        instances: in the order of their rows.
    """

    number: int
    sha256: str
    source: str
    split: Split
    size: tuple[int, int] | None
    instances: tuple[ImageInstance, ...]


def whole_images(instances: pa.Table, empty: pa.Table) -> tuple[WholeImage, ...]:
    """Gather rows by picture.

    Args:
        instances: rows of instances.
        empty: rows of empty images.

    Returns:
        Each picture once: those with instances in the order of the first of them, then the empty ones.
    """
    by_picture: dict[str, list[int]] = {}
    rows = instances.select(_COLUMNS).to_pydict()
    for row, sha256 in enumerate(rows["sha256"]):
        by_picture.setdefault(sha256, []).append(row)
    empty_rows = empty.select(_COLUMNS).to_pydict()
    shown = (_image(number, rows, members) for number, members in enumerate(by_picture.values()))
    unseen = (_empty_image(len(by_picture) + row, empty_rows, row) for row in range(empty.num_rows))
    return tuple(chain(shown, unseen))


def _image(number: int, rows: dict[str, list[Any]], members: list[int]) -> WholeImage:
    instances = tuple(_instance(rows, row) for row in members)
    splits = {instance.split for instance in instances}
    first = members[0]
    return WholeImage(
        number=number,
        sha256=rows["sha256"][first],
        source=rows["source"][first],
        split=next(split for split in _PRECEDENCE if split in splits),
        size=_size(rows, first),
        instances=instances,
    )


def _empty_image(number: int, rows: dict[str, list[Any]], row: int) -> WholeImage:
    return WholeImage(number, rows["sha256"][row], rows["source"][row], rows["split"][row], _size(rows, row), ())


def _instance(rows: dict[str, list[Any]], row: int) -> ImageInstance:
    corners = rows["box"][row]
    box = None if corners is None else (corners[0], corners[1], corners[2], corners[3])
    return ImageInstance(row, rows["label"][row], box, rows["margin"][row], rows["split"][row])


def _size(rows: dict[str, list[Any]], row: int) -> tuple[int, int] | None:
    width, height = rows["width"][row], rows["height"][row]
    return None if width is None or height is None else (width, height)
