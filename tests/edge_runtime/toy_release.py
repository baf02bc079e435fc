"""A real release in a second: coloured squares, and an ONNX model that embeds a picture by its mean colour."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from discern.releases.build import CatalogueClass, build_release
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Calibrator, DecisionRule
from edge_runtime.core.images import Pixels, Preprocessing, encode_jpeg, encode_png
from edge_runtime.core.release import MANIFEST_FILE, SINCE_2, Lineage, Release, release_id
from edge_runtime.files import sha256_file

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
) -> Release:
    """Build a release that tells `colours` apart, with `items` gallery pictures each."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = write_model(folder.parent / f".{folder.name}.onnx")
    model = OnnxEmbedder(path, PREPROCESSING)
    pictures = [square(colour, seed) for colour in colours.values() for seed in range(items)]
    try:
        return build_release(
            folder,
            name=name,
            onnx=path,
            preprocessing=PREPROCESSING,
            vectors=embed(model, pictures),
            class_ids=np.repeat(np.arange(len(colours)), items),
            classes=[CatalogueClass(label, encode_jpeg(square(colour))) for label, colour in colours.items()],
            rule=rule,
            golden=[photo(colour, seed=50) for colour in list(colours.values())[:3]],
            metrics={"recall_at_1": 1.0},
            lineage=Lineage(dataset_version="0123456789abcdef"),
            calibrator=CALIBRATOR,
            represent="exemplars",
        )
    finally:
        path.unlink()


def repin(folder: Path) -> str:
    """Make `release.json` state the files as they are now, as a careless publisher would; returns the new id."""
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_bytes())
    for name, entry in manifest["files"].items():
        entry.update(sha256=sha256_file(folder / name), bytes=(folder / name).stat().st_size)
    path.write_bytes(json.dumps(manifest).encode())
    return release_id(path.read_bytes())


def as_format_1(folder: Path) -> str:
    """Make the release one of format 1, which knew no probability; returns the new id."""
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_bytes())
    for name in SINCE_2:
        del manifest[name]
    path.write_bytes(json.dumps(manifest | {"format": 1}).encode())
    return release_id(path.read_bytes())


def flip(path: Path, at: float = 0.5) -> None:
    """Flip one bit of a file, `at` of the way through it, in a new file as an editor would."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.unlink()
    path.write_bytes(data)
