"""Reading annotations: whole text files and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from discern.errors import DataError
from discern.sources.files.tree import Tree

# Python's own float also takes nan, inf, 1_000 and digits of every script.
_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
SMALL = 1 << 25  # bytes; of the labels of one photo, of a list of names
LARGE = 1 << 30  # bytes; of all labels in one file: a million photos take a tenth


def read_whole(tree: Tree, path: str, limit: int = SMALL) -> bytes:
    """The content of a file of at most `limit` bytes.

    Raises:
        DataError: it cannot be read, or is larger.
    """
    data = tree.read(path, limit + 1)
    if len(data) > limit:
        raise DataError(f"{path} in {tree.location} has more than {limit:,} bytes: split it into smaller files.")
    return data


def read_text(tree: Tree, path: str, limit: int = SMALL) -> str:
    """The text of a file of at most `limit` bytes, without a byte order mark.

    Raises:
        DataError: it cannot be read, is larger, or is not UTF-8.
    """
    return decoded(read_whole(tree, path, limit), f"{path} in {tree.location}")


def decoded(data: bytes, where: str) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{where} is not UTF-8 text: save it as UTF-8.") from None


def text_lines(tree: Tree, path: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a text file that are not blank, as (what messages call it, the line without outer blanks).

    Raises:
        DataError: as `read_text`.
    """
    for number_of_line, line in enumerate(read_text(tree, path).splitlines(), start=1):
        if line.strip():
            yield f"line {number_of_line} of {path}", line.strip()


def number(text: str, where: str) -> float:
    """A finite number.

    Raises:
        DataError: it is none; the message starts with `where`.
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise DataError(f"{where} has {text[:50]!r} where a number belongs: correct it.")
    return value


def pixels(value: float) -> float:
    """A computed coordinate to a millionth of a pixel, so that 10.1 + 0.2 is 10.3; written ones stay as they are."""
    return round(value, 6) + 0.0  # no negative zero
