"""Reading annotations: whole text files and numbers."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator

from discern.errors import DataError
from discern.sources.base import StatedSize
from discern.sources.files.tree import Tree

# Python's own float also takes nan, inf, 1_000 and digits of every script.
_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
SMALL = 1 << 25  # bytes; of the labels of one photo, of a list of names
FAR = 1e12  # pixels; no number, infinity and what a float cannot hold are not below it either
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
        DataError: it cannot be read, is larger, or is neither UTF-8 nor UTF-16 with its mark, as Excel writes it.
    """
    return decoded(read_whole(tree, path, limit), f"{path} in {tree.location}")


def decoded(data: bytes, where: str) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        DataError: it is neither UTF-8 nor UTF-16 with its mark.
    """
    try:
        return data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} {not_utf8(error)}") from None


def not_utf8(error: UnicodeDecodeError) -> str:
    """Return the end of a sentence about bytes that are not UTF-8, with the encoding that they are likely in."""
    byte = error.object[error.start]
    likely = f"its byte {error.start + 1} is {byte:#04x}"
    if byte >= 0xA0:
        likely += f", which is {bytes([byte]).decode('latin-1')!r} in Latin-1 and Windows-1252"
    return f"is not UTF-8 text: save it as UTF-8 ({likely})."


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


def is_yes(text: str | None) -> bool:
    """True for what tools write where a mark is set: 1, true, yes, in any capitals; False for anything else."""
    word = (text or "").strip().lower()
    return word in {"true", "yes", "y", "t", "on"} or (_NUMBER.fullmatch(word) is not None and float(word) != 0)


def side(value: object) -> float:
    """A side of a picture as an annotation states it, pixels; 0 where it states none, or nonsense."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 < value < FAR else 0.0


def stated_size(width: object, height: object, orientation: object = None) -> StatedSize | None:
    """The size that an annotation states; None where a side is missing, zero or nonsense.

    Args:
        width: as it is written.
        height: likewise.
        orientation: EXIF's, as it is written, where the annotation states it.
    """
    across, down = side(width), side(height)
    if not across or not down:
        return None
    turned = int(side(orientation))
    return StatedSize(across, down, turned if 1 <= turned <= 8 else None)


def pixels(value: float) -> float:
    """A computed coordinate to a millionth of a pixel, so that 10.1 + 0.2 is 10.3; written ones stay as they are."""
    return round(value, 6) + 0.0  # no negative zero
