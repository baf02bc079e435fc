"""Open files below one root: a folder, a zip archive, or either in a bucket."""

from __future__ import annotations

import zipfile
from pathlib import Path

from discern.errors import DataError
from discern.sources.files.local import FolderTree, ZipTree
from discern.sources.files.tree import Tree


def open_tree(location: str, encoding: str | None = None) -> Tree:
    """Open a folder, a zip archive, or either in a bucket (`s3://bucket/folder`, `s3://bucket/folder/photos.zip`).

    Args:
        location: the path or the address.
        encoding: of an archive's names, where it does not say it; None to find it.

    Raises:
        DataError: it is missing, none of these, damaged, unsafe, or out of reach.
    """
    if location.startswith("s3://"):
        from discern.sources.files.s3 import open_s3_tree

        return open_s3_tree(location, encoding)
    path = Path(location).expanduser()
    if path.is_dir():
        return FolderTree(path)
    if not path.exists():
        raise DataError(f"{location} does not exist: give the path of a folder, or of a .zip, of photos.")
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return ZipTree(location, path, path.stat().st_size, encoding)
    raise DataError(f"{location} is neither a folder nor a zip archive: give the path of one.")
