"""Photos on a page: a small picture in it, and the photo itself beside it, with its box drawn."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, ImageDraw

from discern.datasets.ingest.rejected import Rejected
from discern.datasets.manifest import DatasetVersion
from discern.datasets.shards import ShardStore
from discern.map_ahead import map_ahead
from discern.quality.contact_sheet import Changed, strip
from discern.reports.html import encode_webp, webp_uri
from edge_runtime.core.images import Box, Pixels, decode, encode_jpeg

LARGE = 1024  # pixels, longer side of the photo beside the page
SMALL = 240  # likewise of a picture on the page
ENLARGED = 400  # likewise of one that somebody has to decide about
BOX_INK = (255, 64, 64)
WORKERS = os.cpu_count() or 1  # Pillow works without the interpreter's lock


@dataclass(frozen=True)
class Picture:
    """A small picture on a page.

    Attributes:
        data: WebP.
        width: pixels.
        height: pixels.
        alt: what it shows, for who cannot see it.
        large: path of the photo beside the page; empty where there is none.
    """

    data: bytes
    width: int
    height: int
    alt: str
    large: str = ""

    @property
    def path(self) -> str:
        """Where it lies beside the page."""
        return f"photos/{hashlib.sha256(self.data).hexdigest()[:20]}.webp"

    @property
    def uri(self) -> str:
        """The picture as an address that holds it, for a page that has to be one file."""
        return webp_uri(self.data)


@dataclass(frozen=True)
class ShownPhoto:
    """A photo of the version on a page.

    Attributes:
        picture: what is seen.
        caption: its class, or its kind where it has none.
        name: its file.
    """

    picture: Picture
    caption: str
    name: str


@dataclass(frozen=True)
class _Made:
    picture: Picture
    large: bytes | None


class PhotoBook:
    """Makes the pictures of a page, and keeps the files that lie beside it.

    Args:
        version: the photos; rows are numbered as in its `all_rows`.

    Attributes:
        files: path beside the page -> WebP or JPEG.
        pictures: all pictures on the page, in the order in which they were asked for.
    """

    def __init__(self, version: DatasetVersion) -> None:
        self.version = version.all_rows()
        self.files: dict[str, bytes] = {}
        self.pictures: list[Picture] = []

    def photos(self, rows: Iterable[int], *, large: bool = True) -> tuple[ShownPhoto, ...]:
        """Show photos of the version.

        Args:
            rows: their rows.
            large: the photo itself lies beside the page too.

        Raises:
            DataError: a photo cannot be read.
        """
        made = map_ahead(lambda row: self._of_row(row, large=large), rows, WORKERS, ahead=WORKERS)
        return tuple(ShownPhoto(self._kept(photo), self._caption(row), self._name(row)) for row, photo in made)

    def rejected(self, photos: Iterable[Rejected], side: int = SMALL) -> Iterator[Picture | None]:
        """Show photos that were left out; None for one whose picture was not kept.

        Raises:
            DataError: a photo cannot be read.
        """
        for _, made in map_ahead(lambda one: self._of_rejected(one, side), photos, WORKERS, ahead=WORKERS):
            yield None if made is None else self._kept(made)

    def strips(self, classes: Sequence[tuple[str, Sequence[int]]], change: Changed | None) -> Iterator[list[Picture]]:
        """Show some photos of each class side by side, and below them as `change` leaves them.

        Args:
            classes: label and rows of each; a class without rows has no picture.
            change: called in this thread.

        Raises:
            DataError: a photo cannot be read.
        """
        decoded = map_ahead(lambda one: [self.version.pixels(row) for row in one[1]], classes, WORKERS, ahead=WORKERS)
        for (label, _), photos in decoded:
            shown = [_picture(strip(photos), f"photos of {label}")] if photos else []
            if photos and change is not None:
                shown.append(_picture(strip(change(photos)), f"the same photos of {label}, as training changes them"))
            yield [self._kept(_Made(picture, None)) for picture in shown]

    def first_pictures(self, max_bytes: int) -> frozenset[str]:
        """Return the paths of the pictures that were asked for first, as many as fit into so many bytes."""
        found: dict[str, int] = {}
        for picture in self.pictures:
            found[picture.path] = len(picture.data)
            if sum(found.values()) > max_bytes:
                del found[picture.path]
                break
        return frozenset(found)

    def _kept(self, made: _Made) -> Picture:
        self.pictures.append(made.picture)
        self.files[made.picture.path] = made.picture.data
        if made.large is not None:
            self.files[made.picture.large] = made.large
        return made.picture

    def _of_row(self, row: int, *, large: bool) -> _Made:
        box = self.version.table["box"][row].as_py()
        whole = decode(self.version.image_bytes(row), self._source(row))
        shown = _fitted(whole if box is None else self.version.pixels(row), SMALL)
        alt = f"{self._caption(row)}: {self._name(row)}"
        if not large:
            return _Made(_picture(shown, alt), None)
        key = self.version.table["sha256"][row].as_py()
        if box is not None:
            key += "-" + "-".join(f"{side:.0f}" for side in box)
        return _Made(_picture(shown, alt, f"photos/{key}.jpg"), _large(whole, box))

    def _of_rejected(self, one: Rejected, side: int) -> _Made | None:
        if one.shard is None or one.row is None:
            return None
        whole = decode(ShardStore(self.version.shards).images(one.shard)[one.row].as_py(), one.name)
        large = f"photos/{one.shard[:16]}-{one.row}.jpg"
        return _Made(_picture(_fitted(whole, side), f"left out: {one.name}", large), _large(whole, None))

    def _source(self, row: int) -> str:
        return str(self.version.table["source"][row].as_py())

    def _name(self, row: int) -> str:
        return PurePosixPath(self._source(row)).name

    def _caption(self, row: int) -> str:
        label, kind = (self.version.table[name][row].as_py() for name in ("label", "row_kind"))
        return f"{kind} image" if label is None else str(label)


def _picture(shown: Pixels, alt: str, large: str = "") -> Picture:
    height, width = shown.shape[:2]
    return Picture(encode_webp(shown), width, height, alt, large)


def _fitted(rgb: Pixels, side: int) -> Pixels:
    """Scale a picture down until its longer side fits."""
    image = Image.fromarray(rgb)
    image.thumbnail((side, side))
    return np.asarray(image)


def _large(whole: Pixels, box: Box | None) -> bytes:
    image = Image.fromarray(whole)
    if box is not None:
        ImageDraw.Draw(image).rectangle(tuple(box), outline=BOX_INK, width=max(1, max(image.size) // 300))
    image.thumbnail((LARGE, LARGE))
    return encode_jpeg(np.asarray(image), 85)
