"""The release format: an immutable folder, pinned by one `release.json`.

Rules kept:
- `release.json` lists every other file with its length and SHA-256; the release's id is the SHA-256 of `release.json`;
- nothing is used before all of it was checked: presence, length, hash;
- unknown fields and file names with a path in them are refused, files that are not listed are ignored;
- a newer format is refused with the mend, an unreadable one with the place;
- format 2 added `calibration` and `represent`; a release of format 1 has neither and answers without a probability.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_runtime.core.images import Fit, Preprocessing
from edge_runtime.core.index import GRAPH_FILE, VECTORS_FILE, IndexParameters, load_vectors
from edge_runtime.errors import ReleaseError
from edge_runtime.files import sha256_bytes, sha256_file

FORMAT = 2
SINCE_2 = frozenset({"calibration", "represent"})  # fields that format 1 does not know
MANIFEST_FILE = "release.json"
MODEL_FILE = "model.onnx"
CATALOGUE_FILE = "catalogue.json"
THUMBNAILS_FILE = "thumbnails.zip"
GOLDEN_IMAGES_FILE = "golden.zip"
GOLDEN_VECTORS_FILE = "golden.npy"
FILES = (
    MODEL_FILE,
    VECTORS_FILE,
    GRAPH_FILE,
    CATALOGUE_FILE,
    THUMBNAILS_FILE,
    GOLDEN_IMAGES_FILE,
    GOLDEN_VECTORS_FILE,
)
ID_DIGITS = 16
MANIFEST_MAX_BYTES = 1024 * 1024


def _plain_name(name: str) -> str:
    if name in {"", ".", "..", MANIFEST_FILE} or any(sign in name for sign in "/\\\0") or name.startswith("."):
        raise ValueError(f"{name!r} is not a plain file name")
    return name


FileName = Annotated[str, AfterValidator(_plain_name)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Represent = Literal["exemplars", "prototype"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileEntry(_Strict):
    """What a file of a release must be."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


class PreprocessingEntry(_Strict):
    """How a photo becomes the model's input."""

    size: Annotated[int, Field(ge=8, le=4096)]
    fit: Fit


class EmbeddingEntry(_Strict):
    """What the model gives."""

    dim: Annotated[int, Field(ge=1, le=65536)]


class IndexEntry(_Strict):
    """How the graph was built and is searched."""

    m: Annotated[int, Field(ge=2, le=1024)]
    ef_construction: Annotated[int, Field(ge=1, le=100_000)]
    ef_search: Annotated[int, Field(ge=1, le=100_000)]


class DecisionEntry(_Strict):
    """The calibrated decision rule."""

    threshold: Finite
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    fpir: Annotated[float, Field(ge=0, le=1)]


class CalibrationEntry(_Strict):
    """The logistic calibrator: the log-odds that the best class is right, by its score and margin."""

    score: Finite
    margin: Finite
    intercept: Finite


class Counts(_Strict):
    """How large the catalogue and the gallery are."""

    classes: Annotated[int, Field(ge=1)]
    gallery: Annotated[int, Field(ge=1)]
    golden: Annotated[int, Field(ge=1)]


class Lineage(_Strict):
    """Where a release came from, and why its model has the precision that it has; what is not known is None."""

    dataset_version: str | None = None
    git_commit: str | None = None
    pipeline_run: str | None = None
    mlflow_run: str | None = None
    precision: str | None = None


class ReleaseManifest(_Strict):
    """The content of `release.json`.

    Attributes:
        calibration: None where no probability could be fitted.
        represent: whether the gallery holds every photo or a mean of each class; None where nobody said.
    """

    format: Literal[1, 2]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    created: AwareDatetime
    files: Mapping[FileName, FileEntry]
    preprocessing: PreprocessingEntry
    embedding: EmbeddingEntry
    index: IndexEntry
    decision: DecisionEntry
    calibration: CalibrationEntry | None = None
    represent: Represent | None = None
    counts: Counts
    metrics: Mapping[str, Finite]
    lineage: Lineage

    @model_validator(mode="after")
    def _fields_of_its_format(self) -> ReleaseManifest:
        if self.format == 1 and (newer := sorted(SINCE_2 & self.model_fields_set)):
            raise ValueError(f"format 1 has no {newer[0]}")
        return self


class CatalogueEntry(_Strict):
    """One class: its label, and how many rows of the gallery are its."""

    label: Annotated[str, Field(min_length=1, max_length=500)]
    items: Annotated[int, Field(ge=1)]


class Catalogue(_Strict):
    """The content of `catalogue.json`; a class's id is its place in the list."""

    classes: Annotated[tuple[CatalogueEntry, ...], Field(min_length=1)]


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
        """How a photo becomes the model's input."""
        return Preprocessing(self.manifest.preprocessing.size, self.manifest.preprocessing.fit)

    @property
    def index_parameters(self) -> IndexParameters:
        """How the graph is searched."""
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
    def gallery_classes(self) -> NDArray[np.int64]:
        """[n] the class id of each gallery row."""
        counts = [entry.items for entry in self.catalogue]
        return np.repeat(np.arange(len(counts), dtype=np.int64), counts)

    def thumbnail(self, class_id: int) -> bytes:
        """Return the reference picture of a class, JPEG.

        Raises:
            ReleaseError: there is no such class, or the file is damaged.
        """
        if not 0 <= class_id < len(self.catalogue):
            raise ReleaseError(
                f"class {class_id} is not in release {self.id}, which has {len(self.catalogue)} classes."
            )
        return _read_members(self.folder / THUMBNAILS_FILE, [f"{class_id}.jpg"])[0]

    def golden(self) -> tuple[list[bytes], NDArray[np.float32]]:
        """Return the golden images (PNG) and the embeddings [g, d] that they must give.

        Raises:
            ReleaseError: a file is damaged.
        """
        count = self.manifest.counts.golden
        vectors = load_vectors(self.folder / GOLDEN_VECTORS_FILE, self.manifest.embedding.dim)
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
    found = release_id(data)
    if expected_id is not None and found != expected_id:
        raise ReleaseError(f"{path} was altered (its id is {found}, expected {expected_id}): pull the release again.")
    manifest = parse_manifest(data, str(path))
    for name, entry in manifest.files.items():
        _check_file(folder / name, entry)
    return Release(folder, manifest, sha256_bytes(data))


def parse_manifest(data: bytes, where: str = MANIFEST_FILE) -> ReleaseManifest:
    """Read the bytes of a `release.json`; `where` names them in errors.

    Raises:
        ReleaseError: they are not a manifest of a format that is known here.
    """
    try:
        content = json.loads(data)
        stated = content["format"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise ReleaseError(f"{where} is not a release manifest: pull the release again.") from None
    if isinstance(stated, int) and stated > FORMAT:
        raise ReleaseError(
            f"{where} has release format {stated}, and this program reads up to {FORMAT}: update discern-edge."
        )
    try:
        manifest = ReleaseManifest.model_validate_json(data)
    except ValidationError as error:
        raise ReleaseError(
            f"{where} is not a valid manifest ({_first_problem(error)}): pull the release again."
        ) from None
    missing = sorted(set(FILES) - set(manifest.files))
    if missing:
        raise ReleaseError(f"{where} does not list {missing[0]}: build the release again.")
    return manifest


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
        raise ReleaseError(f"{path} is not a valid catalogue ({_first_problem(error)}).") from None
    labels = [entry.label for entry in classes]
    if len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ReleaseError(f"{path} lists the class {twice!r} twice: build the release again.")
    if len(classes) != counts.classes or sum(entry.items for entry in classes) != counts.gallery:
        raise ReleaseError(f"{path} does not hold the classes and gallery rows that {MANIFEST_FILE} states.")
    return classes


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
    try:
        with zipfile.ZipFile(path) as archive:
            return [archive.read(name) for name in names]
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ReleaseError(f"{path} is damaged ({error}): pull the release again.") from None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc']) or 'content'}: {problem['msg']}"
