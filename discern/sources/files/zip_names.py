"""Names of a zip archive's members, as they were written.

Rules kept:
- a name that says its encoding (the UTF-8 flag, Info-ZIP's Unicode path) is read in it, and so is valid UTF-8;
- what does not say it is read as the zip format says, in code page 437, only where that gives plain Latin words;
- all else is the caller's to say: a guess would become a label.
"""

from __future__ import annotations

import re
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from zipfile import ZipInfo

from discern.errors import DataError

UTF_8_FLAG = 0x800
UNICODE_PATH = 0x7075  # Info-ZIP's extra field
FORMAT_ENCODING = "cp437"
# What zips are written in by Windows in China, Japan, Korea, Taiwan, Eastern and Western Europe.
LIKELY = ("gb18030", "cp932", "cp949", "big5", "cp866", "cp1251", "cp1252", "cp850")
MOST_ACCENTED = 1 / 3  # of a plain word's letters


def member_names(members: Sequence[ZipInfo], location: str, encoding: str | None) -> list[str]:
    """Return the members' names, with slashes between folders, in their order.

    Args:
        members: as `zipfile` lists them.
        location: what messages call the archive.
        encoding: of the names that do not say theirs; None to find it.

    Raises:
        DataError: it cannot be found, or does not fit.
    """
    silent = [raw for member in members if _stated(member) is None and not (raw := _raw(member)).isascii()]
    encoding = encoding or _encoding(silent, location)
    try:
        names = [_stated(member) or _raw(member).decode(encoding) for member in members]
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{location} holds names that are not {encoding} ({error}): set encoding to theirs.") from None
    # A zero byte ends a name; some programs of Windows write backslashes.
    return [name.partition("\0")[0].replace("\\", "/") for name in names]


def _stated(member: ZipInfo) -> str | None:
    """Return a name that says its encoding."""
    if member.flag_bits & UTF_8_FLAG:
        return member.orig_filename
    return _unicode_path(member.extra, _raw(member))


def _raw(member: ZipInfo) -> bytes:
    """Return a name's bytes; zipfile decodes each byte of a name that does not say its encoding."""
    return member.orig_filename.encode("utf-8" if member.flag_bits & UTF_8_FLAG else FORMAT_ENCODING)


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in an extra field, where it was made for this one."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == UNICODE_PATH and field[:1] == b"\1" and field[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            return field[5:].decode(errors="replace")
    return None


def _encoding(names: Sequence[bytes], location: str) -> str:
    if _reads(names, "utf-8"):
        return "utf-8"
    if _is_plain_latin(name.decode(FORMAT_ENCODING) for name in names):
        return FORMAT_ENCODING
    readings = [f"{each} reads {names[0].decode(each)!r}" for each in LIKELY if _reads(names, each)]
    raise DataError(
        f"{location} does not say how its names are written: set encoding to what reads them rightly "
        f"({', '.join(readings)}), or pack it again with UTF-8 names."
    )


def _reads(names: Iterable[bytes], encoding: str) -> bool:
    try:
        return all("\ufffd" not in name.decode(encoding) for name in names)
    except UnicodeDecodeError:
        return False


def _is_plain_latin(names: Iterable[str]) -> bool:
    """Return True where names read like Schlüssel or écrou: letters alone, few of them accented, never three in a row.

    Japanese or Russian names in capitals give letters alone, too; but half of them or more are accented.
    """
    words = [word for name in names for word in re.split(r"[\s\d/\\_.,()&+-]+", name) if word and not word.isascii()]
    accented = [letter for word in words for letter in word if not letter.isascii()]
    if not all(unicodedata.name(letter, "").startswith("LATIN") and letter.isalpha() for letter in accented):
        return False
    return len(accented) <= MOST_ACCENTED * sum(map(len, words)) and not any(
        re.search(r"[^\x00-\x7f]{3}", word) for word in words
    )
