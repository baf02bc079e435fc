"""Reading annotations in XML: whole files, and tags whatever their capitals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from defusedxml.ElementTree import ParseError, fromstring  # type: ignore[import-untyped]

from discern.errors import DataError
from discern.sources.parsing import not_utf8

_DECLARED = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*([\"'])([A-Za-z0-9._-]+)\1[^>]*\?>")
_OF_SEVERAL_BYTES = {b"gb2312", b"gbk", b"gb18030", b"big5", b"shift_jis", b"euc-jp", b"euc-kr", b"iso-2022-jp"}


class WrongEncodingError(DataError):
    """An XML file declares no encoding and is not UTF-8, and so then are the tool's other files."""


def parse_xml(path: str, data: bytes) -> Any:
    """Parse an XML file; it may declare no entities.

    Args:
        path: what messages call it.
        data: its content.

    Raises:
        WrongEncodingError: it is not in the encoding that it has to be in.
        DataError: it is damaged, or in an encoding that is not known.
    """
    try:
        return fromstring(_as_utf8(data))
    except ParseError as error:
        _check_encoding(path, data)
        raise DataError(f"{path} is no whole XML file ({error}): export it again, or remove it.") from None
    except (ValueError, LookupError) as error:  # entities, which defusedxml refuses; encodings that do not exist
        raise DataError(f"{path} is not XML that is read here ({error}): export it again as UTF-8.") from None


def _as_utf8(data: bytes) -> bytes:
    """Return XML in UTF-8 where it declares one of the encodings of several bytes that expat does not know."""
    declared = _DECLARED.match(data)
    if declared is None or declared.group(2).lower() not in _OF_SEVERAL_BYTES:
        return data
    return data[declared.end() :].decode(declared.group(2).decode()).encode()


def _check_encoding(path: str, data: bytes) -> None:
    if not data.lstrip().startswith(b"<") or b"encoding=" in data[:200]:
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise WrongEncodingError(f"{path} declares no encoding, and {not_utf8(error)}") from None


def children(element: Any, tag: str) -> Iterator[Any]:
    """Yield the children of a tag, in any capitals."""
    return (child for child in element if isinstance(child.tag, str) and child.tag.lower() == tag)


def child(element: Any, tag: str) -> Any:
    """Return the first child of a tag, or None."""
    return next(children(element, tag), None)


def text_of(element: Any, tag: str) -> str | None:
    """Return the text in the first child of a tag without outer blanks, or None where there is no such child."""
    found = child(element, tag)
    return None if found is None else (found.text or "").strip()
