"""Photos on a page: a thumbnail in it, and the picture itself beside it, with its box drawn, for who wants to look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, ImageDraw

from discern.datasets.ingest.rejected import Rejected
from discern.datasets.manifest import DatasetVersion
from discern.datasets.shards import ShardStore
from discern.quality.contact_sheet import CELL
from discern.reports.html import data_uri
from edge_runtime.core.images import Box, Pixels, decode, encode_jpeg

LARGE = 1024  # pixels, longer side of the picture beside the page
BOX_INK = (255, 64, 64)
LINKED = re.compile(r'<a href="(?:photos|\.\.)/[^"]*">(.*?)</a>')  # pictures, and other pages, that lie beside a page


class PhotoBook:
    """Makes the HTML of photos, and keeps the pictures that it links to.

    Args:
        version: the photos; rows are numbered as in its `all_rows`.

    Attributes:
        files: path beside the page -> JPEG.
    """

    def __init__(self, version: DatasetVersion) -> None:
        self.version = version.all_rows()
        self.files: dict[str, bytes] = {}

    def rows(self, rows: Sequence[int]) -> str:
        """Photos of the version, each with its label and its name."""
        return f'<div class="pictures">{"".join(map(self._card, rows))}</div>'

    def rejected(self, one: Rejected) -> str:
        """The picture of a photo that was left out, or nothing where it was not kept."""
        if one.shard is None or one.row is None:
            return ""
        data = ShardStore(self.version.shards).images(one.shard)[one.row].as_py()
        whole = decode(data, one.name)
        return self._linked(f"{one.shard[:16]}-{one.row}", whole, whole, None, one.name)

    def _card(self, row: int) -> str:
        sha256, source, label, box, kind = (
            self.version.table[name][row].as_py() for name in ("sha256", "source", "label", "box", "row_kind")
        )
        caption = f"{kind} image" if label is None else label
        whole = decode(self.version.image_bytes(row), source)
        key = sha256 if box is None else f"{sha256}-{'-'.join(f'{side:.0f}' for side in box)}"
        image = self._linked(key, whole, self.version.pixels(row), box, source)
        return (
            f'<figure>{image}<figcaption title="{escape(source)}">{escape(caption)}<br>'
            f'<span class="muted">{escape(PurePosixPath(source).name)}</span></figcaption></figure>'
        )

    def _linked(self, key: str, whole: Pixels, shown: Pixels, box: Box | None, source: str) -> str:
        image = f'<img alt="{escape(source)}" src="{data_uri(CELL.apply(shown))}">'
        path = f"photos/{key}.jpg"
        if path not in self.files:
            self.files[path] = _large(whole, box)
        return f'<a href="{path}">{image}</a>'


def without_links(html: str) -> str:
    """Return HTML for a page that has to be one file: it links to nothing that lies beside it."""
    return LINKED.sub(r"\1", html)


def _large(whole: Pixels, box: Box | None) -> bytes:
    image = Image.fromarray(whole)
    if box is not None:
        ImageDraw.Draw(image).rectangle(tuple(box), outline=BOX_INK, width=max(1, max(image.size) // 300))
    image.thumbnail((LARGE, LARGE))
    return encode_jpeg(np.asarray(image), 85)
