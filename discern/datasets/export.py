"""A dataset version as a plain folder of classes, for people and for other tools.

Rules kept:
- the encoded bytes are those that were ingested, checked against their hash;
- `photos.csv` says what folders cannot: boxes, splits, groups, times, provenance, and which images are empty or
  unlabelled. With `kind: table` it is the same data set again;
- the folder appears whole or not at all, and nothing is written over.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.sources.base import PROVENANCE
from discern.sources.paths import is_image, stem
from discern.storage.atomic_folder import is_free, new_folder
from discern.storage.file_names import UniqueNames, folder_names
from edge_runtime.core.images import FORMATS

TABLE = "photos.csv"
COLUMNS = (
    *("path", "label", "left", "top", "right", "bottom", "margin"),
    *("split", "role", "group", "captured_at", "source", "row_kind"),
    *PROVENANCE,
)
WITHOUT_LABEL = {"empty": "empty images", "unlabelled": "unlabelled images"}  # folders of what has no class
_EXTENSIONS = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif"}  # of the others, the format's own name


@dataclass(frozen=True)
class Restored:
    """What was written."""

    folder: Path
    classes: int
    pictures: int


def restore(version: DatasetVersion, folder: Path, progress: Callable[[int], None] | None = None) -> Restored:
    """Write a version as one folder a class, and a table.

    A picture with things of two classes lies in both folders. Empty and unlabelled images have a folder each.

    Args:
        version: the version.
        folder: where to; it must be empty, or not exist.
        progress: called with the number of rows written so far, rows of every kind.

    Raises:
        DataError: the folder is not empty or cannot be written, or photos are missing, damaged or out of reach.
    """
    target = folder.expanduser().resolve()
    try:
        if not is_free(target):
            raise DataError(f"{folder} is not an empty folder: name one that is, or one that does not exist yet.")
        version.fetch()
        with new_folder(target) as temporary:
            pictures = _write(version, temporary, progress)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror or error}): free some space or name another, and run again."
        ) from error
    return Restored(target, len(version.labels), pictures)


def _write(version: DatasetVersion, folder: Path, progress: Callable[[int], None] | None) -> int:
    """Write all files; return the number of pictures."""
    rows = version.all_rows()
    files = _Files(rows, folder)
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for number, row in enumerate(_rows(rows)):
            table.writerow(_cells(files.path_of(number, row), row))
            if progress:
                progress(number + 1)
    return files.count


class _Files:
    """The pictures in their folders, each once in each.

    Args:
        rows: the version, its rows of every kind.
        folder: the folder to write to.
    """

    def __init__(self, rows: DatasetVersion, folder: Path) -> None:
        self._rows = rows
        self._folder = folder
        self._class_folders = folder_names(rows.labels, reserved=[TABLE, *WITHOUT_LABEL.values()])
        self._names: dict[str, UniqueNames] = defaultdict(UniqueNames)
        self._written: dict[tuple[str, str, str], str] = {}  # folder, sha256, source -> path
        kinds = set(rows.column("row_kind"))
        for name in (*self._class_folders.values(), *(WITHOUT_LABEL[kind] for kind in WITHOUT_LABEL if kind in kinds)):
            (folder / name).mkdir()

    @property
    def count(self) -> int:
        """The number of pictures that were written."""
        return len(self._written)

    def path_of(self, number: int, row: dict[str, Any]) -> str:
        """Return the path of a row's picture, which is written if it is not there yet."""
        folder = self._class_folders[row["label"]] if row["label"] is not None else WITHOUT_LABEL[row["row_kind"]]
        key = folder, row["sha256"], row["source"]
        if key not in self._written:
            data = self._rows.image_bytes(number)
            if hashlib.sha256(data).hexdigest() != row["sha256"]:
                raise DataError(
                    f"{row['source']} is damaged in shard {row['shard']}: restore the shard from a copy, or ingest "
                    "the photos again."
                )
            self._written[key] = f"{folder}/{self._file_name(folder, data, row)}"
            (self._folder / self._written[key]).write_bytes(data)
        return self._written[key]

    def _file_name(self, folder: str, data: bytes, row: dict[str, Any]) -> str:
        base = row["source"].rpartition("/")[2] or row["sha256"][:16]
        name, extension = (stem(base), base[len(stem(base)) :]) if is_image(base) else (base, _extension(data))
        return self._names[folder].name(name or "_", extension, row["sha256"])


def _rows(version: DatasetVersion) -> Iterator[dict[str, Any]]:
    names = ("sha256", "label", "box", "margin", "split", "role", "source", "group", "captured_at", "shard", "row_kind")
    for batch in version.table.select([*names, *PROVENANCE]).to_batches(max_chunksize=4096):
        yield from batch.to_pylist()


def _cells(path: str, row: dict[str, Any]) -> list[object]:
    cells = row | {"path": path, "captured_at": _time(row["captured_at"]), "labelled_at": _time(row["labelled_at"])}
    cells |= zip(("left", "top", "right", "bottom"), row["box"] or [None] * 4, strict=True)
    return [cells[name] for name in COLUMNS]


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _extension(data: bytes) -> str:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        name = str(image.format)
    return _EXTENSIONS.get(name, f".{name.lower()}")
