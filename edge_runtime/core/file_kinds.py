"""What a file is by its first bytes, where it is no picture that is read here, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image

DNG_VERSION, FILE_TYPE, PHOTOMETRIC = 50706, 254, 262  # tags of TIFF and of DNG
CFA, LINEAR_RAW = 32803, 34892  # a sensor's own numbers, as PHOTOMETRIC states them
HEAD = 64  # bytes that tell what a file is


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        words: what a file of this kind is, after `is`.
        mend: what a person can do.
    """

    words: str
    mend: str


SAVE = "save it as JPEG or PNG"
HEIC = Kind("a HEIC photo that cannot be read here", "install discern-edge[heif], or save the photo as JPEG")
AVIF = Kind("an AVIF photo that cannot be read here", "update Pillow, or save the photo as JPEG")
RAW = Kind("camera raw, which is not read here", "export it as JPEG from the camera's program")
JXL = Kind("a JPEG XL picture, which is not read here", SAVE)
JP2 = Kind("a JPEG 2000 picture, which is not read here", SAVE)
LFS = Kind("a pointer of Git LFS and not the picture itself", "run `git lfs pull`")
ANNEX = Kind("a pointer of git-annex and not the picture itself", "run `git annex get`")
ICLOUD = Kind("a placeholder of iCloud and not the picture itself", "download the photo first")
PAGE = Kind("a web page and not a picture", "download the photo again, logged in where that is needed")
VIDEO = Kind("a video and not a picture", "save the frame that shows the thing as JPEG or PNG")

_RAW_NAMES = "3fr arw cr2 cr3 crw dcr dng erf iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
RAW_NAMES = frozenset(f".{name}" for name in _RAW_NAMES.split())
_BY_NAME = {
    ".heic": HEIC, ".heif": HEIC, ".hif": HEIC, ".avif": AVIF, ".jxl": JXL, ".jp2": JP2, ".j2k": JP2, ".icloud": ICLOUD,
    **dict.fromkeys(RAW_NAMES, RAW),
}  # fmt: skip
# Of a file in the ISO base media format: its brand, the bytes 8 to 12.
_BY_BRAND = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"), HEIC),
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    b"crx ": RAW,
}
_BY_START = (
    (b"\xff\x0a", JXL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JXL),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JP2),
    (b"\xff\x4f\xff\x51", JP2),
    (b"II*\0\x10\0\0\0CR", RAW),  # Canon
    (b"II\x1a\0\0\0HEAPCCDR", RAW),
    (b"IIRO", RAW),  # Olympus
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"IIU\0", RAW),  # Panasonic
    (b"FUJIFILMCCD-RAW", RAW),
    (b"FOVb", RAW),  # Sigma
    (b"\0MRM", RAW),  # Minolta
    (b"8BPS", Kind("a Photoshop file, which is not read here", SAVE)),
    (b"%PDF", Kind("a PDF and not a picture", SAVE)),
    (b"version https://git-lfs", LFS),
    (b"/annex/objects/", ANNEX),
    (b"\x1aE\xdf\xa3", VIDEO),
)
_PAGE_STARTS = (b"<!doctype html", b"<html", b"<?xml", b"<svg")
# What is read here begins so.
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def unread_kind(data: bytes, name: str) -> Kind | None:
    """Return the kind of a file that Pillow opens as no picture, by its first bytes or else by its name."""
    return _by_bytes(data[:HEAD]) or _BY_NAME.get(extension(name))


def is_raw(data: bytes, name: str) -> bool:
    """Return True if a file is camera raw by its first bytes or by its name; what Pillow opens of it is a preview."""
    return RAW in (_by_bytes(data[:HEAD]), _BY_NAME.get(extension(name)))


def is_raw_tiff(image: Image.Image) -> bool:
    """Return True if an opened picture is a camera's raw file: a TIFF whose first picture is a preview."""
    tags = getattr(image, "tag_v2", None) or {}
    is_preview = isinstance(kind := tags.get(FILE_TYPE, 0), int) and bool(kind & 1)
    return DNG_VERSION in tags or is_preview or tags.get(PHOTOMETRIC) in (CFA, LINEAR_RAW)


def looks_like_a_photo(head: bytes) -> bool:
    """Return True if a file that begins with `head`, `HEAD` bytes, is meant as a photo, read here or not."""
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    return _is_bmp(head) or _by_bytes(head) in (HEIC, AVIF, RAW, JXL, JP2)


def extension(name: str) -> str:
    """Return the extension of a file's name, with its dot, in small letters; nothing where it has none."""
    base = name[name.rfind("/") + 1 :]
    return base[base.rfind(".") :].lower() if "." in base[1:] else ""


def _by_bytes(head: bytes) -> Kind | None:
    if head[4:8] == b"ftyp":
        return _BY_BRAND.get(head[8:12], VIDEO)
    if head.lstrip().lower().startswith(_PAGE_STARTS):
        return PAGE
    return next((kind for start, kind in _BY_START if head.startswith(start)), None)


def _is_bmp(head: bytes) -> bool:
    """Two letters are too few: the size of the header that follows has few values."""
    return head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and head[14:18] in _BMP_HEADERS


_BMP_HEADERS = tuple(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))
