from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Preprocessing
from edge_runtime.errors import ReleaseError
from tests.edge_runtime.toy_release import DIM, PREPROCESSING, SIZE, write_model


def test_embeddings_have_unit_length_whatever_the_batch(tmp_path: Path) -> None:
    model = OnnxEmbedder(write_model(tmp_path / "model.onnx"), PREPROCESSING)
    assert model.dim == DIM
    batch = np.random.default_rng(0).integers(0, 256, (7, SIZE, SIZE, 3), np.uint8)
    vectors = model.embed(batch)
    assert vectors.shape == (7, DIM)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[3], model.embed(batch[3:4])[0], atol=1e-5)


def test_the_execution_provider_is_one_that_this_machine_has(tmp_path: Path) -> None:
    model = OnnxEmbedder(write_model(tmp_path / "model.onnx"), PREPROCESSING)
    assert model.provider in onnxruntime.get_available_providers()
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        assert model.provider == "CPUExecutionProvider"


@pytest.mark.parametrize("batch", [np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, SIZE, SIZE, 3), np.float32)])
def test_other_input_is_refused(tmp_path: Path, batch: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    model = OnnxEmbedder(write_model(tmp_path / "model.onnx"), PREPROCESSING)
    with pytest.raises(ReleaseError, match=rf"uint8 \[n, {SIZE}, {SIZE}, 3\] and was given"):
        model.embed(batch)


def test_another_input_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"where uint8 \[n, 32, 32, 3\] is needed"):
        OnnxEmbedder(write_model(tmp_path / "model.onnx"), Preprocessing(32))


def test_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="failed on a batch of 2"):
        OnnxEmbedder(write_model(tmp_path / "model.onnx", batch=1), PREPROCESSING)


def one_node(path: Path, output: int, op: str, **attributes: Any) -> Path:
    shape: list[str | int | None] = ["n", SIZE, SIZE, 3]
    nodes = [helper.make_node("Cast", ["image"], ["x"], to=output), helper.make_node(op, ["x"], ["y"], **attributes)]
    graph = helper.make_graph(
        nodes,
        "bad",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("y", output, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_embeddings_without_the_norm_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="not of unit length"):
        OnnxEmbedder(one_node(tmp_path / "m.onnx", TensorProto.FLOAT, "Flatten", axis=1), PREPROCESSING)


def test_another_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"gives tensor\(double\) where float32"):
        OnnxEmbedder(one_node(tmp_path / "m.onnx", TensorProto.DOUBLE, "Flatten", axis=1), PREPROCESSING)
    with pytest.raises(ReleaseError, match=r"where float32 \[n, d\] is needed"):
        OnnxEmbedder(one_node(tmp_path / "m.onnx", TensorProto.FLOAT, "Identity"), PREPROCESSING)


@pytest.mark.parametrize("data", [b"", b"not a model", None])
def test_what_is_not_a_model_is_named(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "model.onnx"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ReleaseError, match=r"model\.onnx") as caught:
        OnnxEmbedder(path, PREPROCESSING)
    assert "\n" not in str(caught.value)


def test_a_graph_cannot_name_other_files_as_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path / "inside.onnx")
    model = onnx.load(path)
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(ReleaseError, match="not a model that onnxruntime can load"):
        OnnxEmbedder(tmp_path / "model.onnx", PREPROCESSING)
