"""A real release in a second: coloured squares, and an ONNX model that embeds a picture by its mean colour."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Calibrator, DecisionRule
from edge_runtime.core.images import Pixels, Preprocessing, encode_jpeg, encode_png
from edge_runtime.core.index import ADDED_FILE, GalleryIndex, IndexParameters
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.core.release import (
    ADDED_THUMBNAILS_FILE,
    CATALOGUE_FILE,
    GOLDEN_IMAGES_FILE,
    GOLDEN_VECTORS_FILE,
    LOCALISER_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    THUMBNAILS_FILE,
    Release,
    open_release,
    release_id,
)
from edge_runtime.files import sha256_file

OLDER_RELEASES = Path(__file__).parent / "older_releases"
SIZE = 16  # pixels
DIM = 8
PREPROCESSING = Preprocessing(SIZE)
RULE = DecisionRule(threshold=0.97, margin=0.005, fpir=0.01)
CALIBRATOR = Calibrator(score=40.0, margin=2.0, intercept=-38.0)
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (30, 50, 220),
    "yellow": (230, 220, 30),
    "white": (240, 240, 240),
}
UNKNOWN = (120, 20, 160)  # purple: nobody enrolled it


def square(colour: tuple[int, int, int], seed: int = 0, side: int = 24) -> Pixels:
    """Return a noisy square of one colour, [side, side, 3] uint8."""
    noise = np.random.default_rng(seed).normal(0, 4, (side, side, 3))
    pixels: Pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    return pixels


def photo(colour: tuple[int, int, int], seed: int = 0) -> bytes:
    return encode_png(square(colour, seed))


def write_model(path: Path, size: int = SIZE, dim: int = DIM, *, swap: bool = False, batch: int | str = "n") -> Path:
    """Write a model that embeds a picture by its mean colour; `swap` exchanges red and blue."""
    weights = np.random.default_rng(7).normal(size=(3, dim)).astype(np.float32)
    if swap:
        weights = weights[::-1].copy()
    bias = np.full(dim, 0.05, np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "one"], ["centred"]),
        helper.make_node("ReduceMean", ["centred"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["projected"]),
        helper.make_node("Add", ["projected", "bias"], ["shifted"]),
        helper.make_node("LpNormalization", ["shifted"], ["embedding"], axis=1, p=2),
    ]
    constants = {"scale": np.float32(1 / 127.5), "one": np.float32(1), "weights": weights, "bias": bias}
    graph = helper.make_graph(
        nodes,
        "mean_colour",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [batch, size, size, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, dim])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def embed(model: OnnxEmbedder, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
    return model.embed(np.stack([model.preprocessing.apply(picture) for picture in pictures]))


def build_toy(
    folder: Path,
    *,
    colours: Mapping[str, tuple[int, int, int]] = COLOURS,
    items: int = 3,
    name: str = "squares",
    rule: DecisionRule = RULE,
    photo_limits: PhotoLimits | None = None,
) -> Release:
    """Write a release that tells `colours` apart, with `items` gallery pictures each, as a builder would."""
    folder.mkdir(parents=True)
    model = OnnxEmbedder(write_model(folder / MODEL_FILE), PREPROCESSING)
    pictures = [square(colour, seed) for colour in colours.values() for seed in range(items)]
    GalleryIndex.build(embed(model, pictures), np.repeat(np.arange(len(colours)), items)).save(folder)
    classes = [{"label": label, "items": items, "offset": 0.0} for label in colours]
    (folder / CATALOGUE_FILE).write_text(json.dumps({"classes": classes}, indent=1, ensure_ascii=False) + "\n")
    write_zip(folder / THUMBNAILS_FILE, "jpg", [encode_jpeg(square(colour)) for colour in colours.values()])
    golden = [square(colour, seed=50) for colour in list(colours.values())[:3]]
    write_zip(folder / GOLDEN_IMAGES_FILE, "png", [encode_png(picture) for picture in golden])
    np.save(folder / GOLDEN_VECTORS_FILE, np.concatenate([embed(model, [picture]) for picture in golden]))
    manifest = {
        "format": 5,
        "name": name,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "files": {path.name: file_entry(path) for path in sorted(folder.iterdir())},
        "models": {
            "embedding": {
                "file": MODEL_FILE,
                "preprocessing": asdict(PREPROCESSING),
                "dim": DIM,
                "numeric_format": "fp32",
            }
        },
        "gallery": {"represent": "exemplars", "photos_per_class": items, "splits": ["validation", "test"]},
        "index": asdict(IndexParameters()),
        "decision": asdict(rule),
        "calibration": asdict(CALIBRATOR),
        "photo_limits": None if photo_limits is None else asdict(photo_limits),
        "counts": {"classes": len(colours), "gallery": len(pictures), "golden": len(golden)},
        "metrics": {"recall_at_1": 1.0},
        "lineage": {"dataset_version": "0123456789abcdef"},
        "enrolment": None,
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return open_release(folder)


def write_zip(path: Path, ending: str, pictures: Sequence[bytes]) -> None:
    """Write an archive of numbered pictures that is the same whenever it is written."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, data in enumerate(pictures):
            archive.writestr(zipfile.ZipInfo(f"{number}.{ending}"), data)


def file_entry(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size}


def read_manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_bytes())
    return content


def write_manifest(folder: Path, content: Mapping[str, Any]) -> str:
    """Write `release.json`; returns the release's id."""
    data = json.dumps(content).encode()
    (folder / MANIFEST_FILE).write_bytes(data)
    return release_id(data)


def repin(folder: Path) -> str:
    """Make `release.json` state the files as they are now, as a careless publisher would; returns the new id."""
    manifest = read_manifest(folder)
    manifest["files"] = {name: file_entry(folder / name) for name in manifest["files"]}
    return write_manifest(folder, manifest)


def as_format(number: int, folder: Path) -> str:
    """Give the toy release in `folder` the manifest that was written for it in an older format; returns the new id.

    The text is that of the time; the files' hashes are those of the libraries that are installed now.
    """
    shutil.copyfile(OLDER_RELEASES / f"format_{number}.json", folder / MANIFEST_FILE)
    return repin(folder)


def add_localiser(folder: Path, **changes: Any) -> str:
    """Add a model that nothing runs yet to the release in `folder`; returns the new id."""
    write_model(folder / LOCALISER_FILE, size=2 * SIZE)
    manifest = read_manifest(folder)
    manifest["models"]["localiser"] = {
        "file": LOCALISER_FILE,
        "preprocessing": {"size": 2 * SIZE, "fit": "letterbox"},
        "objectness": 0.4,
        "nms_iou": 0.6,
        "max_instances": 50,
        **changes,
    }
    manifest["files"][LOCALISER_FILE] = file_entry(folder / LOCALISER_FILE)
    return write_manifest(folder, manifest)


def enrol_into(folder: Path, label: str, colour: tuple[int, int, int], *, retire: str | None = None) -> str:
    """Add a class of two pictures to the release in `folder`, and retire another, as an enrolment does.

    Returns the new id.
    """
    manifest = read_manifest(folder)
    catalogue = json.loads((folder / CATALOGUE_FILE).read_bytes())["classes"]
    starts = np.cumsum([0, *(entry["items"] for entry in catalogue)]).tolist()
    for number, entry in enumerate(catalogue):
        entry |= {"rows": [[starts[number], entry["items"]]], "thumbnail": number}
    added = {"label": label, "items": 2, "offset": 0.0, "rows": [[starts[-1], 2]], "thumbnail": len(catalogue)}
    classes = [entry for entry in catalogue if entry["label"] != retire] + [added]
    (folder / CATALOGUE_FILE).unlink()  # it may be a hard link
    (folder / CATALOGUE_FILE).write_text(json.dumps({"classes": classes}))
    model = OnnxEmbedder(folder / MODEL_FILE, PREPROCESSING)
    np.save(folder / ADDED_FILE, embed(model, [square(colour, seed) for seed in range(2)]))
    with zipfile.ZipFile(folder / ADDED_THUMBNAILS_FILE, "w") as archive:
        archive.writestr(f"{len(catalogue)}.jpg", encode_jpeg(square(colour)))
    manifest["files"] |= dict.fromkeys((ADDED_FILE, ADDED_THUMBNAILS_FILE))
    manifest["counts"] |= {"classes": len(classes), "gallery": sum(entry["items"] for entry in classes)}
    write_manifest(folder, manifest)
    return repin(folder)


def flip(path: Path, at: float = 0.5) -> None:
    """Flip one bit of a file, `at` of the way through it, in a new file as an editor would."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.unlink()
    path.write_bytes(data)
