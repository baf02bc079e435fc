"""Every page that people review is a template: one look, light or dark as the reader's machine is, nothing fetched.

A value that a template shows is escaped, whatever it holds; only what `Markup` wraps is taken as HTML.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from edge_runtime.core.images import Pixels

TEMPLATES = Path(__file__).parent / "templates"
QUALITY = 60  # of WebP; thumbnails need no more


STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #26844f; --bad: #c4342c; --wait: #9a6b00; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --good: #5cc98b; --bad: #ff8a80; --wait: #e3b341; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.verdict { font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); } .wait { color: var(--wait); }
.muted { opacity: .7; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; min-width: 44rem; }
table.conditions td:first-child { min-width: 13rem; } table.conditions td:last-child { min-width: 15rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td { overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.result { white-space: nowrap; font-weight: 600; }
details { border-bottom: 1px solid var(--line); } summary { cursor: pointer; padding: .45rem .2rem; }
summary:hover { background: var(--soft); }
.plot { min-height: 22rem; } .sheet td { vertical-align: middle; }
.sheet img { display: block; max-width: 100%; margin-bottom: 2px; }
.sheet td:first-child { max-width: 16rem; } .sheet td:last-child { width: 60%; }
.rejected img { display: block; width: 64px; height: 64px; } .rejected td:nth-child(3) { min-width: 64px; }
.rejected td:first-child { min-width: 14rem; }
.pictures { display: grid; padding: .2rem 0 .8rem; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
figure { margin: 0; padding: .5rem; border: 1px solid var(--line); border-radius: .4rem; }
figure img { display: block; width: 96px; height: 96px; margin: 0 auto .3rem; }
figcaption { font-size: .8rem; overflow-wrap: anywhere; }
nav a { margin-right: 1rem; } a { color: inherit; }
"""


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


def page(title: str, body: Sequence[str]) -> str:
    """Write one HTML text that needs no network.

    Args:
        title: plain text.
        body: HTML, part by part.
    """
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>"
    )
