"""Every page that people review is a template: one look, light or dark as the reader's machine is, nothing fetched.

A value that a template shows is escaped, whatever it holds; only what `Markup` wraps is taken as HTML.
"""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from edge_runtime.core.images import Pixels

TEMPLATES = Path(__file__).parent / "templates"
QUALITY = 60  # of WebP; thumbnails need no more


def render(template: str, folder: Path = TEMPLATES, **values: object) -> str:
    """Fill in a template.

    Args:
        template: its file name.
        folder: where it lies; it may use `page.html` and `parts.html` of this room too.
        values: what it shows; a name that it needs and that is not here is an error.

    Returns:
        One HTML text.

    Raises:
        jinja2.UndefinedError: a value is missing.
    """
    return _environment(folder).get_template(template).render(values)


def data_uri(rgb: Pixels) -> str:
    """Encode a picture [H, W, 3] uint8 as a `data:image/webp;base64,...` URI."""
    return webp_uri(encode_webp(rgb))


def encode_webp(rgb: Pixels) -> bytes:
    """Encode a picture [H, W, 3] uint8 as a thumbnail."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()


def webp_uri(data: bytes) -> str:
    """Write an encoded thumbnail as a URI that holds it."""
    return "data:image/webp;base64," + base64.b64encode(data).decode()


@lru_cache(maxsize=8)
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
