"""A release on the disk: an immutable folder, pinned by one `release.json`.

Rules kept:
- `release.json` lists every other file with its length and SHA-256; the release's id is the SHA-256 of `release.json`;
- nothing is used before all of it was checked: presence, length, hash;
- files that are not listed are ignored;
- a release of an older format keeps its files and its id, and is read like one of today (`manifest`).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_runtime.core.images import Preprocessing
from edge_runtime.core.index import ADDED_FILE, GalleryLayout, IndexParameters, load_vectors
from edge_runtime.core.manifest import (
    ADDED_THUMBNAILS_FILE,
    CATALOGUE_FILE,
    ENROLMENT_FILE,
    FILES,
    FORMAT,
    GOLDEN_IMAGES_FILE,
    GOLDEN_VECTORS_FILE,
    LOCALISER_FILE,
    MANIFEST_FILE,
    MANIFEST_MAX_BYTES,
    MODEL_FILE,
    THUMBNAILS_FILE,
    Counts,
    FileEntry,
    GalleryEntry,
    Lineage,
    LocaliserEntry,
    NumericFormat,
    ReleaseManifest,
    Represent,
    first_problem,
    parse_manifest,
)
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.errors import ReleaseError
from edge_runtime.files import sha256_bytes, sha256_file

# The release format is imported from here, whichever module holds a part of it.
__all__ = [
    "ADDED_THUMBNAILS_FILE",
    "CATALOGUE_FILE",
    "ENROLMENT_FILE",
    "FILES",
    "FORMAT",
    "GOLDEN_IMAGES_FILE",
    "GOLDEN_VECTORS_FILE",
    "LOCALISER_FILE",
    "MANIFEST_FILE",
    "MANIFEST_MAX_BYTES",
    "MODEL_FILE",
    "THUMBNAILS_FILE",
    "Catalogue",
    "CatalogueEntry",
    "Counts",
    "FileEntry",
    "GalleryEntry",
    "Lineage",
    "LocaliserEntry",
    "NumericFormat",
    "Release",
    "ReleaseManifest",
    "Represent",
    "open_release",
    "parse_manifest",
    "read_catalogue",
    "release_id",
]

ID_DIGITS = 16


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CatalogueEntry(_Strict):
    """One class.

    Attributes:
        label: of the class.
        items: items of the gallery that are its.
        offset: what is taken off its cosines.
        rows: where they lie in the gallery's files, as spans of (first row, number of rows); None: behind those of the
            class before.
        thumbnail: the number of its reference picture; None: its place in the list.
    """

    label: Annotated[str, Field(min_length=1, max_length=500)]
    items: Annotated[int, Field(ge=1)]
    offset: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] = 0.0
    rows: tuple[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]], ...] | None = None
    thumbnail: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _the_rows_are_its_items(self) -> CatalogueEntry:
        if self.rows is not None and sum(count for _, count in self.rows) != self.items:
            raise ValueError(f"rows does not span {self.items} items")
        return self


class Catalogue(_Strict):
    """The content of `catalogue.json`; a class's id is its place in the list."""

    classes: Annotated[tuple[CatalogueEntry, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _all_classes_name_their_rows_or_none_does(self) -> Catalogue:
        if len({entry.rows is None for entry in self.classes}) > 1:
            raise ValueError("some classes name their rows and some do not")
        rows = _rows(self.classes)
        if rows is not None and len(np.unique(rows)) != len(rows):
            raise ValueError("two items lie in one row")
        return self


@dataclass(frozen=True)
class Release:
    """A folder whose files were all checked against its manifest."""

    folder: Path
    manifest: ReleaseManifest
    digest: str  # SHA-256 of release.json, 64 hex digits

    @property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of `release.json`."""
        return self.digest[:ID_DIGITS]

    @property
    def created(self) -> datetime:
        """When it was built."""
        return self.manifest.created

    @property
    def preprocessing(self) -> Preprocessing:
        """The way from a photo to the input of the embedding model."""
        return self.manifest.models.embedding.preprocessing.build()

    @property
    def photo_limits(self) -> PhotoLimits | None:
        """The limits of a photo that can be used; None where the release states none."""
        entry = self.manifest.photo_limits
        return None if entry is None else entry.build()

    @property
    def embedding_model(self) -> Path:
        """The ONNX file of the embedding model."""
        return self.folder / self.manifest.models.embedding.file

    @property
    def dim(self) -> int:
        """Numbers in one embedding."""
        return self.manifest.models.embedding.dim

    @property
    def index_parameters(self) -> IndexParameters:
        """The settings that the graph is searched with."""
        entry = self.manifest.index
        return IndexParameters(entry.m, entry.ef_construction, entry.ef_search)

    @cached_property
    def catalogue(self) -> tuple[CatalogueEntry, ...]:
        """The classes; a class's id is its place.

        Raises:
            ReleaseError: `catalogue.json` does not fit the manifest.
        """
        return read_catalogue(self.folder / CATALOGUE_FILE, self.manifest.counts)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The classes' labels, by class id."""
        return tuple(entry.label for entry in self.catalogue)

    @cached_property
    def gallery_layout(self) -> GalleryLayout:
        """Where the gallery's items lie in its files, and the class id of each."""
        counts = [entry.items for entry in self.catalogue]
        classes = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        return GalleryLayout(classes, _rows(self.catalogue), has_added=ADDED_FILE in self.manifest.files)

    @cached_property
    def class_offsets(self) -> NDArray[np.float32]:
        """[c] what is taken off the cosines of each class, by class id."""
        return np.array([entry.offset for entry in self.catalogue], dtype=np.float32)

    def thumbnail(self, class_id: int) -> bytes:
        """Return the reference picture of a class, JPEG.

        Raises:
            ReleaseError: there is no such class, or the file is damaged.
        """
        if not 0 <= class_id < len(self.catalogue):
            raise ReleaseError(
                f"class {class_id} is not in release {self.id}, which has {len(self.catalogue)} classes."
            )
        number = self.catalogue[class_id].thumbnail
        name = f"{class_id if number is None else number}.jpg"
        is_added = ADDED_THUMBNAILS_FILE in self.manifest.files and name in self.members(ADDED_THUMBNAILS_FILE)
        archive = ADDED_THUMBNAILS_FILE if is_added else THUMBNAILS_FILE
        return _read_members(self.folder / archive, [name])[0]

    def members(self, archive: str) -> frozenset[str]:
        """Return the names of the members of one of the release's archives.

        Raises:
            ReleaseError: the file is damaged.
        """
        with _opened(self.folder / archive) as opened:
            return frozenset(opened.namelist())

    def golden(self) -> tuple[list[bytes], NDArray[np.float32]]:
        """Return the golden images (PNG) and the embeddings [g, d] that they must give.

        Raises:
            ReleaseError: a file is damaged.
        """
        count = self.manifest.counts.golden
        vectors = load_vectors(self.folder / GOLDEN_VECTORS_FILE, self.dim)
        if len(vectors) != count:
            raise ReleaseError(f"{self.folder / GOLDEN_VECTORS_FILE} holds {len(vectors)} embeddings, not {count}.")
        return _read_members(self.folder / GOLDEN_IMAGES_FILE, [f"{i}.png" for i in range(count)]), vectors


def release_id(manifest: bytes) -> str:
    """Return the id of a release from the bytes of its `release.json`."""
    return sha256_bytes(manifest)[:ID_DIGITS]


def open_release(folder: Path, expected_id: str | None = None) -> Release:
    """Check every file of a release and return it.

    Args:
        folder: the release's folder.
        expected_id: the id that the caller was told to use; pins `release.json` itself.

    Raises:
        ReleaseError: a file is missing, altered, or of another format; the message names it.
    """
    path = folder / MANIFEST_FILE
    data = _read_manifest(path)
    actual_id = release_id(data)
    if expected_id is not None and actual_id != expected_id:
        raise ReleaseError(
            f"{path} was altered (its id is {actual_id}, expected {expected_id}): pull the release again."
        )
    manifest = parse_manifest(data, str(path))
    for name, entry in manifest.files.items():
        _check_file(folder / name, entry)
    return Release(folder, manifest, sha256_bytes(data))


def read_catalogue(path: Path, counts: Counts) -> tuple[CatalogueEntry, ...]:
    """Read `catalogue.json` and compare it with the manifest's counts.

    Raises:
        ReleaseError: it is damaged or does not fit.
    """
    try:
        classes = Catalogue.model_validate_json(path.read_bytes()).classes
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read ({error.strerror}): pull the release again.") from None
    except ValidationError as error:
        raise ReleaseError(f"{path} is not a valid catalogue ({first_problem(error)}).") from None
    labels = [entry.label for entry in classes]
    if len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ReleaseError(f"{path} lists the class {twice!r} twice: build the release again.")
    if len(classes) != counts.classes or sum(entry.items for entry in classes) != counts.gallery:
        raise ReleaseError(f"{path} does not hold the classes and gallery rows that {MANIFEST_FILE} states.")
    return classes


def _rows(classes: Sequence[CatalogueEntry]) -> NDArray[np.int64] | None:
    """Return the row of each item in the gallery's files; None where the items are the rows."""
    spans = [span for entry in classes for span in entry.rows or ()]
    if not spans:
        return None
    return np.concatenate([np.arange(first, first + count, dtype=np.int64) for first, count in spans])


def _read_manifest(path: Path) -> bytes:
    try:
        if path.stat().st_size > MANIFEST_MAX_BYTES:
            raise ReleaseError(f"{path} is larger than {MANIFEST_MAX_BYTES:,} bytes: pull the release again.")
        return path.read_bytes()
    except FileNotFoundError:
        raise ReleaseError(f"{path} is missing: pull the release again.") from None
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read ({error.strerror}).") from None


def _check_file(path: Path, entry: FileEntry) -> None:
    try:
        length = path.stat().st_size
        altered = length != entry.bytes or sha256_file(path) != entry.sha256
    except FileNotFoundError:
        raise ReleaseError(f"{path} is missing: pull the release again.") from None
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read ({error.strerror}).") from None
    if length != entry.bytes:
        raise ReleaseError(f"{path} has {length:,} bytes where {entry.bytes:,} are stated: pull the release again.")
    if altered:
        raise ReleaseError(f"{path} was altered (its SHA-256 is not the stated one): pull the release again.")


def _read_members(path: Path, names: list[str]) -> list[bytes]:
    with _opened(path) as archive:
        return [archive.read(name) for name in names]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ReleaseError(f"{path} is damaged ({error}): pull the release again.") from None
