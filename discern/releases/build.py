"""Build a release: models, a gallery and a decision rule in, an immutable folder out.

Rules kept:
- everything is built in a folder beside the target and renamed at the end, so the target is whole or absent;
- the index and the golden embeddings come from `edge_runtime`, the code that will answer on the device;
- what was built is opened and tested like on a device before it counts.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from discern.errors import PublicationError
from discern.releases.enrolment_data import EnrolmentData
from discern.storage.atomic_folder import is_free, new_folder
from edge_runtime.core.embedder import OnnxEmbedder, check_loadable
from edge_runtime.core.identify import Calibrator, DecisionRule
from edge_runtime.core.images import Preprocessing, decode
from edge_runtime.core.index import GalleryIndex, IndexParameters
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.core.release import (
    CATALOGUE_FILE,
    ENROLMENT_FILE,
    FORMAT,
    GOLDEN_IMAGES_FILE,
    GOLDEN_VECTORS_FILE,
    LOCALISER_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    THUMBNAILS_FILE,
    GalleryEntry,
    Lineage,
    NumericFormat,
    Release,
    open_release,
    release_id,
)
from edge_runtime.core.selftest import run_selftest
from edge_runtime.errors import EdgeError
from edge_runtime.files import sha256_file

ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # one date for all, so that the same content gives the same bytes


@dataclass(frozen=True)
class CatalogueClass:
    """A class of the catalogue.

    Attributes:
        label: of the class.
        thumbnail: one reference picture, JPEG.
        offset: what is taken off its cosines.
    """

    label: str
    thumbnail: bytes
    offset: float = 0.0


@dataclass(frozen=True)
class LocaliserParts:
    """A class-agnostic detector and the settings that its boxes are read with.

    Attributes:
        onnx: the detector's ONNX file.
        preprocessing: the way from a photo to its input.
        objectness: the least objectness of a box that counts.
        nms_iou: of two boxes that overlap by more, the one of less objectness is dropped.
        max_instances: boxes that are kept at most.
    """

    onnx: Path
    preprocessing: Preprocessing
    objectness: float
    nms_iou: float
    max_instances: int


@dataclass(frozen=True)
class ReleaseParts:
    """Everything that a release is built from.

    Attributes:
        name: the name that people call it by.
        onnx: the embedding model: uint8 [n, size, size, 3] in, float32 [n, d] of unit length out.
        preprocessing: the way from a photo to the embedding model's input.
        vectors: [n, d] gallery embeddings of unit length.
        class_ids: [n] the position of each row's class in `classes`; every class needs at least one row.
        classes: the catalogue.
        rule: the calibrated decision rule.
        golden: PNG images whose embeddings every device must reproduce, at least one.
        metrics: finite numbers that travel with the release.
        lineage: the origin of the release.
        calibrator: states the probability of an answer, if one could be fitted.
        gallery: the enrolment settings that gave `vectors`.
        numeric_format: of the embedding model's weights.
        photo_limits: the limits of a photo that can be used; None where every photo is answered.
        localiser: the detector, where a photo may hold several instances.
        index_parameters: the settings that the graph is built and searched with.
        counts: what else there is to count, beside classes, gallery rows and golden images.
        enrolment: what enrolment into the release needs; None where nothing can be enrolled without a training.
    """

    name: str
    onnx: Path
    preprocessing: Preprocessing
    vectors: NDArray[Any]
    class_ids: Sequence[int] | NDArray[Any]
    classes: Sequence[CatalogueClass]
    rule: DecisionRule
    golden: Sequence[bytes]
    metrics: Mapping[str, float]
    lineage: Lineage
    calibrator: Calibrator | None = None
    gallery: GalleryEntry | None = None
    numeric_format: NumericFormat | None = None
    photo_limits: PhotoLimits | None = None
    localiser: LocaliserParts | None = None
    index_parameters: IndexParameters | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    enrolment: EnrolmentData | None = None


def build_release(folder: Path, parts: ReleaseParts) -> Release:
    """Build, check and return a release.

    Args:
        folder: the release's folder; absent or empty.
        parts: the content.

    Raises:
        PublicationError: something is missing or wrong; nothing is left at `folder`.
    """
    if not is_free(folder):
        raise PublicationError(f"{folder} exists already: a release is never changed, name another folder.")
    _check_parts(parts)
    try:
        with new_folder(folder) as staging:
            manifest = _write_files(staging, parts)
            identity = write_manifest(staging, manifest)
            staging.chmod(0o755)
            open_release(staging, identity)
            run_selftest(staging, identity)
        return open_release(folder, identity)
    except (EdgeError, OSError) as error:
        raise PublicationError(f"release {parts.name!r} cannot be built: {error}") from error


def _check_parts(parts: ReleaseParts) -> None:
    """Refuse what can be refused before anything is written."""
    _check_labels(parts.classes)
    _check_class_ids(np.asarray(parts.class_ids, dtype=np.int64), parts.classes)
    _check_thumbnails(parts.classes)
    _check_numbers(parts)
    if parts.rule.least_probability > 0 and parts.calibrator is None:
        raise PublicationError(
            f"release {parts.name!r} has a rule with a least probability and no calibrator to state one: set "
            "`least_probability` to 0."
        )
    if not parts.golden:
        raise PublicationError(
            f"release {parts.name!r} has no golden images: give at least one PNG, devices test with it."
        )


def _check_labels(classes: Sequence[CatalogueClass]) -> None:
    if not classes:
        raise PublicationError("the catalogue has no classes: enrol at least one.")
    labels = [entry.label for entry in classes]
    if len(set(labels)) != len(labels):
        raise PublicationError(f"the catalogue names {max(labels, key=labels.count)!r} twice: labels must differ.")


def _check_class_ids(ids: NDArray[np.int64], classes: Sequence[CatalogueClass]) -> None:
    if ids.ndim != 1 or (len(ids) and (ids.min() < 0 or ids.max() >= len(classes))):
        raise PublicationError(f"class_ids point outside the catalogue of {len(classes)} classes.")
    empty = np.flatnonzero(np.bincount(ids, minlength=len(classes)) == 0)
    if len(empty):
        label = classes[int(empty[0])].label
        raise PublicationError(f"class {label!r} has no gallery photo: enrol one or leave the class out.")


def _check_thumbnails(classes: Sequence[CatalogueClass]) -> None:
    try:
        for entry in classes:
            decode(entry.thumbnail, f"the thumbnail of class {entry.label!r}")
    except EdgeError as error:
        raise PublicationError(str(error)) from None


def _check_numbers(parts: ReleaseParts) -> None:
    numbers = {f"rule.{name}": value for name, value in asdict(parts.rule).items()}
    if parts.calibrator is not None:
        numbers |= {f"calibrator.{name}": value for name, value in asdict(parts.calibrator).items()}
    if parts.localiser is not None:
        numbers |= {
            "localiser.objectness": parts.localiser.objectness,
            "localiser.nms_iou": parts.localiser.nms_iou,
        }
    numbers |= {f"the offset of class {entry.label!r}": entry.offset for entry in parts.classes}
    for name, value in {**numbers, **parts.metrics}.items():
        if not np.isfinite(value):
            raise PublicationError(f"{name} is {value}: a release carries finite numbers only, fix or leave it out.")


def _write_files(folder: Path, parts: ReleaseParts) -> dict[str, Any]:
    """Write every file of a release but `release.json`, whose content is returned."""
    model = _write_embedding_model(folder, parts)
    offsets = np.array([entry.offset for entry in parts.classes], dtype=np.float32)
    index = GalleryIndex.build(parts.vectors, parts.class_ids, parts.index_parameters, offsets)
    _check_dimension(model, index)
    index.save(folder)
    _write_catalogue(folder, index, parts.classes)
    _write_golden(folder, parts.golden, model)
    models: dict[str, Any] = {"embedding": _embedding_entry(parts, model)}
    if parts.localiser is not None:
        models["localiser"] = _write_localiser(folder, parts.localiser)
    files = {path.name: file_entry(path) for path in sorted(folder.iterdir())}
    return {
        "format": FORMAT,
        "name": parts.name,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "files": files,
        "models": models,
        "gallery": None if parts.gallery is None else parts.gallery.model_dump(),
        "index": asdict(index.parameters),
        "decision": asdict(parts.rule),
        "calibration": None if parts.calibrator is None else asdict(parts.calibrator),
        "photo_limits": None if parts.photo_limits is None else asdict(parts.photo_limits),
        "counts": {
            **parts.counts,
            "classes": len(parts.classes),
            "gallery": len(index.vectors),
            "golden": len(parts.golden),
        },
        "metrics": {name: float(value) for name, value in sorted(parts.metrics.items())},
        "lineage": parts.lineage.model_dump(),
        "enrolment": None if parts.enrolment is None else _write_enrolment(folder, parts.enrolment),
    }


def _write_enrolment(folder: Path, enrolment: EnrolmentData) -> dict[str, Any]:
    path = folder / ENROLMENT_FILE
    path.write_bytes(enrolment.to_bytes())
    return file_entry(path)


def json_bytes(content: dict[str, Any]) -> bytes:
    """Write JSON that people can read."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> str:
    """Write `release.json` and return the release's id.

    Raises:
        OSError: it cannot be written.
    """
    data = json_bytes(manifest)
    (folder / MANIFEST_FILE).write_bytes(data)
    return release_id(data)


def _write_embedding_model(folder: Path, parts: ReleaseParts) -> OnnxEmbedder:
    shutil.copyfile(parts.onnx, folder / MODEL_FILE)
    return OnnxEmbedder(folder / MODEL_FILE, parts.preprocessing)


def _embedding_entry(parts: ReleaseParts, model: OnnxEmbedder) -> dict[str, Any]:
    return {
        "file": MODEL_FILE,
        "preprocessing": asdict(parts.preprocessing),
        "dim": model.dim,
        "numeric_format": parts.numeric_format,
    }


def _write_localiser(folder: Path, localiser: LocaliserParts) -> dict[str, Any]:
    path = folder / LOCALISER_FILE
    shutil.copyfile(localiser.onnx, path)
    check_loadable(path)
    return {
        "file": LOCALISER_FILE,
        "preprocessing": asdict(localiser.preprocessing),
        "objectness": localiser.objectness,
        "nms_iou": localiser.nms_iou,
        "max_instances": localiser.max_instances,
    }


def _check_dimension(model: OnnxEmbedder, index: GalleryIndex) -> None:
    if model.dim != index.vectors.shape[1]:
        raise PublicationError(
            f"the model gives embeddings of {model.dim} numbers and the gallery has {index.vectors.shape[1]}: "
            "embed the gallery with this model."
        )


def _write_catalogue(folder: Path, index: GalleryIndex, classes: Sequence[CatalogueClass]) -> None:
    items = np.bincount(index.classes, minlength=len(classes))
    entries = [
        {"label": entry.label, "items": int(count), "offset": entry.offset}
        for entry, count in zip(classes, items, strict=True)
    ]
    (folder / CATALOGUE_FILE).write_bytes(json_bytes({"classes": entries}))
    write_zip(folder / THUMBNAILS_FILE, {f"{number}.jpg": entry.thumbnail for number, entry in enumerate(classes)})


def _write_golden(folder: Path, golden: Sequence[bytes], model: OnnxEmbedder) -> None:
    """Golden embeddings come from the very file and code that devices run."""
    pixels = [model.preprocessing.apply(decode(data, f"golden image {i}")) for i, data in enumerate(golden)]
    vectors = np.concatenate([model.embed(image[None]) for image in pixels])
    np.save(folder / GOLDEN_VECTORS_FILE, vectors, allow_pickle=False)
    write_zip(folder / GOLDEN_IMAGES_FILE, {f"{number}.png": data for number, data in enumerate(golden)})


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive that is the same for the same members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), data)


def file_entry(path: Path) -> dict[str, Any]:
    """Return how a manifest lists a file."""
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size}
