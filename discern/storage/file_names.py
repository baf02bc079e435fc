"""Names of files and folders that every file system takes, made of labels and of the names of photos.

Rules kept:
- a name stays inside its folder, and is neither hidden nor reserved (`..`, `a/b`, `con`, a last dot);
- two names that a file system may take for one (`Nut` and `nut`) never lie side by side;
- what had to be changed is percent-encoded, so `urllib.parse.unquote` gives it back, save what was too long.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

MAX_BYTES = 255  # of one name
CUT = "%~"  # in a name that is not whole; no encoded name holds it otherwise
# Control characters, breaks of lines, and what some file system gives a meaning; a hidden or a blank start or end.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029%/\\:*?"<>|]|\A[. ]|[. ]\Z')
# That, and what some file system may take for another character: capitals, and all that is not ASCII.
_UNSAFE_OR_FOLDED = re.compile(rf"{_UNSAFE.pattern}|[^\x00-@\[-\x7f]")
_DEVICE = re.compile(
    r"(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(\..*)?"
)
_PASSED_OVER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # by sources of photos, among others


def safe_name(text: str, limit: int = MAX_BYTES, reserved: Collection[str] = ()) -> str:
    """A name for a file or folder.

    Args:
        text: what it is made of, not empty.
        limit: bytes that it may have in UTF-8; a longer one is cut, and ends in a hash of all of it.
        reserved: names in lower case that it must not be.
    """
    return _name(text, _UNSAFE, limit, reserved)


def folder_names(labels: Collection[str], reserved: Collection[str] = ()) -> Mapping[str, str]:
    """A name for each label's folder, no two of which differ by capitals or by their way to write accents alone."""
    named = {label: safe_name(label, reserved=reserved) for label in labels}
    alike = defaultdict(list)
    for label, name in named.items():
        alike[_key(name)].append(label)
    for members in alike.values():
        if len(members) > 1:
            for label in members:
                named[label] = _name(label, _UNSAFE_OR_FOLDED, MAX_BYTES, reserved)
    return named


class UniqueNames:
    """Gives files of one folder names of their own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, stem: str, extension: str, digest: str) -> str:
        """A safe name for a file; it holds a piece of `digest` where another has the plain one."""
        for suffix in _suffixes(digest):
            ending = suffix + extension
            name = safe_name(stem, MAX_BYTES - len(ending.encode())) + ending
            if _key(name) not in self._taken:
                break
        self._taken.add(_key(name))
        return name


def _name(text: str, unsafe: re.Pattern[str], limit: int, reserved: Collection[str]) -> str:
    name = unsafe.sub(lambda found: _encode(found[0]), text)
    if _DEVICE.fullmatch(name.lower()) or name.lower() in _PASSED_OVER or name.lower() in reserved:
        name = _encode(name[0]) + name[1:]
    data = name.encode()
    if len(data) <= limit:
        return name
    ending = f"{CUT}{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    start = data[: limit - len(ending)].decode(errors="ignore")
    return re.sub(r"%[0-9A-F]?\Z", "", start) + ending


def _encode(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _suffixes(digest: str) -> Iterator[str]:
    yield ""
    yield f"-{digest[:8]}"
    number = 1
    while True:
        yield f"-{digest}-{number}"
        number += 1


def _key(name: str) -> str:
    """Equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
