"""Build a release: an ONNX model, a gallery and a decision rule in, an immutable folder out.

Rules kept:
- everything is built in a folder beside the target and renamed at the end, so the target is whole or absent;
- the index and the golden embeddings come from `edge_runtime`, the code that will answer on the device;
- what was built is opened and tested like on a device before it counts.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from discern.errors import PublicationError
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Calibrator, DecisionRule
from edge_runtime.core.images import Preprocessing, decode
from edge_runtime.core.index import GalleryIndex, IndexParameters
from edge_runtime.core.release import (
    CATALOGUE_FILE,
    FILES,
    FORMAT,
    GOLDEN_IMAGES_FILE,
    GOLDEN_VECTORS_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    THUMBNAILS_FILE,
    Lineage,
    Release,
    Represent,
    open_release,
    release_id,
)
from edge_runtime.core.selftest import run_selftest
from edge_runtime.errors import EdgeError
from edge_runtime.files import fsync_file, fsync_folder, sha256_file

ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # one date for all, so that the same content gives the same bytes


@dataclass(frozen=True)
class CatalogueClass:
    """A class of the catalogue: its label and one reference picture (JPEG)."""

    label: str
    thumbnail: bytes


def build_release(  # noqa: PLR0913  every part of a release is named once
    folder: Path,
    *,
    name: str,
    onnx: Path,
    preprocessing: Preprocessing,
    vectors: NDArray[Any],
    class_ids: Sequence[int] | NDArray[Any],
    classes: Sequence[CatalogueClass],
    rule: DecisionRule,
    golden: Sequence[bytes],
    metrics: Mapping[str, float],
    lineage: Lineage,
    calibrator: Calibrator | None = None,
    represent: Represent | None = None,
    index_parameters: IndexParameters | None = None,
) -> Release:
    """Build, check and return a release.

    Args:
        folder: where it goes; absent or empty.
        name: what people call it.
        onnx: the model: uint8 [n, size, size, 3] in, float32 [n, d] of unit length out.
        preprocessing: how a photo becomes the model's input.
        vectors: [n, d] gallery embeddings of unit length.
        class_ids: [n] each one's place in `classes`; every class needs at least one.
        classes: the catalogue.
        rule: the calibrated decision rule.
        golden: PNG images whose embeddings every device must reproduce, at least one.
        metrics: finite numbers that travel with the release.
        lineage: where it came from.
        calibrator: states the probability of an answer, if one could be fitted.
        represent: whether `vectors` are photos or the means of classes.
        index_parameters: how the graph is built and searched.

    Raises:
        PublicationError: something is missing or wrong; nothing is left at `folder`.
    """
    _check_target(folder)
    ids = np.asarray(class_ids, dtype=np.int64)
    _check_classes(ids, classes)
    _check_numbers(rule, calibrator, metrics)
    if not golden:
        raise PublicationError(f"release {name!r} has no golden images: give at least one PNG, devices test with it.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        shutil.copyfile(onnx, staging / MODEL_FILE)
        model = OnnxEmbedder(staging / MODEL_FILE, preprocessing)
        index = GalleryIndex.build(vectors, ids, index_parameters)
        _check_dimension(model, index)
        index.save(staging)
        _write_catalogue(staging, ids, classes)
        _write_golden(staging, golden, model)
        counts = {"classes": len(classes), "gallery": len(ids), "golden": len(golden)}
        manifest = {
            "format": FORMAT,
            "name": name,
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "files": _file_entries(staging),
            "preprocessing": asdict(preprocessing),
            "embedding": {"dim": model.dim},
            "index": asdict(index.parameters),
            "decision": asdict(rule),
            "calibration": None if calibrator is None else asdict(calibrator),
            "represent": represent,
            "counts": counts,
            "metrics": {key: float(value) for key, value in sorted(metrics.items())},
            "lineage": lineage.model_dump(),
        }
        return _finish(staging, folder, manifest)
    except (EdgeError, OSError) as error:
        raise PublicationError(f"release {name!r} cannot be built: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _finish(staging: Path, folder: Path, manifest: dict[str, Any]) -> Release:
    data = (json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    (staging / MANIFEST_FILE).write_bytes(data)
    staging.chmod(0o755)
    for path in staging.iterdir():
        fsync_file(path)
    fsync_folder(staging)
    number = release_id(data)
    open_release(staging, number)
    run_selftest(staging, number)
    staging.rename(folder)
    fsync_folder(folder.parent)
    return open_release(folder, number)


def _check_target(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PublicationError(f"{folder} exists already: a release is never changed, name another folder.")


def _check_classes(ids: NDArray[np.int64], classes: Sequence[CatalogueClass]) -> None:
    if not classes:
        raise PublicationError("the catalogue has no classes: enrol at least one.")
    labels = [entry.label for entry in classes]
    if len(set(labels)) != len(labels):
        raise PublicationError(f"the catalogue names {max(labels, key=labels.count)!r} twice: labels must differ.")
    if ids.ndim != 1 or (len(ids) and (ids.min() < 0 or ids.max() >= len(classes))):
        raise PublicationError(f"class_ids point outside the catalogue of {len(classes)} classes.")
    empty = np.flatnonzero(np.bincount(ids, minlength=len(classes)) == 0)
    if len(empty):
        raise PublicationError(
            f"class {labels[int(empty[0])]!r} has no gallery photo: enrol one or leave the class out."
        )
    try:
        for entry in classes:
            decode(entry.thumbnail, f"the thumbnail of class {entry.label!r}")
    except EdgeError as error:
        raise PublicationError(str(error)) from None


def _check_numbers(rule: DecisionRule, calibrator: Calibrator | None, metrics: Mapping[str, float]) -> None:
    numbers = {f"rule.{key}": value for key, value in asdict(rule).items()}
    if calibrator is not None:
        numbers |= {f"calibrator.{key}": value for key, value in asdict(calibrator).items()}
    for key, value in {**numbers, **metrics}.items():
        if not np.isfinite(value):
            raise PublicationError(f"{key} is {value}: a release carries finite numbers only, fix or leave it out.")


def _check_dimension(model: OnnxEmbedder, index: GalleryIndex) -> None:
    if model.dim != index.vectors.shape[1]:
        raise PublicationError(
            f"the model gives embeddings of {model.dim} numbers and the gallery has {index.vectors.shape[1]}: "
            "embed the gallery with this model."
        )


def _write_catalogue(folder: Path, ids: NDArray[np.int64], classes: Sequence[CatalogueClass]) -> None:
    items = np.bincount(ids, minlength=len(classes))
    entries = [{"label": entry.label, "items": int(count)} for entry, count in zip(classes, items, strict=True)]
    text = json.dumps({"classes": entries}, indent=1, ensure_ascii=False) + "\n"
    (folder / CATALOGUE_FILE).write_bytes(text.encode())
    _write_zip(folder / THUMBNAILS_FILE, {f"{number}.jpg": entry.thumbnail for number, entry in enumerate(classes)})


def _write_golden(folder: Path, golden: Sequence[bytes], model: OnnxEmbedder) -> None:
    """Golden embeddings come from the very file and code that devices run."""
    pixels = [model.preprocessing.apply(decode(data, f"golden image {i}")) for i, data in enumerate(golden)]
    vectors = np.concatenate([model.embed(image[None]) for image in pixels])
    np.save(folder / GOLDEN_VECTORS_FILE, vectors, allow_pickle=False)
    _write_zip(folder / GOLDEN_IMAGES_FILE, {f"{number}.png": data for number, data in enumerate(golden)})


def _write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), data)


def _file_entries(folder: Path) -> dict[str, dict[str, Any]]:
    return {name: {"sha256": sha256_file(folder / name), "bytes": (folder / name).stat().st_size} for name in FILES}
