"""A page as a browser would make it: its text, its tags, its addresses."""

from __future__ import annotations

import re
from html.parser import HTMLParser

SILENT = {"style", "title"}


class ReadPage(HTMLParser):
    """What is on a page.

    Attributes:
        tags: every opening tag, in order.
        addresses: whatever a browser would fetch or open.
        alternatives: the `alt` texts of the pictures.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self._parts: list[str] = []
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        """Visible text, folded parts too, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self._parts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}]
        if tag == "img":
            self.alternatives.append(dict(attrs)["alt"] or "")

    def handle_data(self, data: str) -> None:
        if not self.tags or self.tags[-1] not in SILENT:
            self._parts.append(data)
