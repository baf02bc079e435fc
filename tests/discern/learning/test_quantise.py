from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import TrainingError
from discern.learning.config import ModelConfig
from discern.learning.export import export_onnx
from discern.learning.models import TorchEmbedder
from discern.learning.quantise import FP16_PROVIDERS, stamp, to_fp16, to_int8
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels, Preprocessing
from tests.discern import toy
from tests.edge_runtime.toy_release import write_model

SIZE = toy.PREPROCESSING.size


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("variants")


@pytest.fixture(scope="module")
def training(toy_version: DatasetVersion) -> Pixels:
    return load_photos(toy_version.select(split="train"), toy.PREPROCESSING).pixels[::4]


@pytest.fixture(scope="module")
def fp32(toy_model: TorchEmbedder, folder: Path) -> Path:
    export_onnx(toy_model, folder / "fp32.onnx")
    return folder / "fp32.onnx"


@pytest.fixture(scope="module")
def int8(fp32: Path, training: Pixels, folder: Path) -> Path:
    to_int8(fp32, folder / "int8.onnx", training)
    return folder / "int8.onnx"


@pytest.fixture(scope="module")
def fp16(fp32: Path, folder: Path) -> Path:
    to_fp16(fp32, folder / "fp16.onnx")
    return folder / "fp16.onnx"


@pytest.fixture(params=["int8", "fp16"])
def variant(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def unseen() -> Pixels:
    return np.stack([toy.PREPROCESSING.apply(toy.disc(label, 77)) for label in toy.LABELS])


def embedded(path: Path, photos: Pixels, size: int = SIZE) -> np.ndarray:
    return OnnxEmbedder(path, Preprocessing(size)).embed(photos)


def weights(path: Path, kind: int) -> dict[str, np.ndarray]:
    model = onnx.load(str(path))
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer if each.data_type == kind}


def test_runtimes_that_load_the_export_load_the_variants(variant: Path) -> None:
    onnx.checker.check_model(str(variant), full_check=True)
    assert stamp(variant) == (8, {"": 17})
    assert {node.domain for node in onnx.load(str(variant)).graph.node} == {""}


def test_pixels_go_in_and_unit_vectors_come_out(variant: Path) -> None:
    """The device's runtime refuses anything else; and the batch has any length."""
    for count in (1, 3):
        vectors = embedded(variant, unseen()[:count])
        assert (vectors.dtype, vectors.shape) == (np.float32, (count, 16))
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_embeddings_are_nearly_those_of_fp32(fp32: Path, int8: Path, fp16: Path) -> None:
    reference = embedded(fp32, unseen())
    assert (reference @ reference.T).min() < 0  # far apart, so that what follows says something
    half, eighth = ((embedded(path, unseen()) * reference).sum(axis=1) for path in (fp16, int8))
    assert half.min() > 0.99999
    # A colour that calibrated nothing may leave the range of an activation: which one depends on the processor that
    # trained the toy.
    assert 0.97 < np.median(eighth) < half.min()
    assert eighth[: len(toy.TRAINED)].min() > 0.9


def test_the_files_are_smaller(fp32: Path, int8: Path, fp16: Path) -> None:
    whole, half, quarter = (path.stat().st_size for path in (fp32, fp16, int8))
    assert half < 0.6 * whole
    assert quarter < 0.5 * whole  # of so small a net, a good part is the graph


def test_the_body_is_in_8_bits_and_its_weights_in_7(int8: Path) -> None:
    """255 x 64 twice stays below 32,767, where x86 without VNNI saturates."""
    quantised = [each for each in weights(int8, onnx.TensorProto.INT8).values() if each.ndim == 4]
    convolutions = [node for node in onnx.load(str(int8)).graph.node if node.op_type == "Conv"]
    assert len(quantised) == len(convolutions) > 10
    assert max(np.abs(each.astype(int)).max() for each in quantised) == 64
    assert not [each for each in weights(int8, onnx.TensorProto.FLOAT).values() if each.ndim == 4]


def test_each_channel_of_the_weights_has_a_scale_of_its_own(int8: Path) -> None:
    model = onnx.load(str(int8))
    floats = weights(int8, onnx.TensorProto.FLOAT)
    eighths = weights(int8, onnx.TensorProto.INT8)
    scales = {
        node.input[0]: floats[node.input[1]]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in eighths
    }
    kernels = {name: each for name, each in eighths.items() if each.ndim == 4}
    assert kernels
    assert all(scales[name].shape == (kernel.shape[0],) for name, kernel in kernels.items())


def test_the_head_stays_in_fp32(int8: Path, toy_model: TorchEmbedder) -> None:
    (head,) = (each for each in weights(int8, onnx.TensorProto.FLOAT).values() if each.ndim == 2)
    np.testing.assert_array_equal(head, toy_model.head.weight.detach().numpy())
    (gemm,) = (node for node in onnx.load(str(int8)).graph.node if node.op_type == "Gemm")
    after = [node.op_type for node in onnx.load(str(int8)).graph.node if gemm.output[0] in node.input]
    assert after
    assert "QuantizeLinear" not in after


def test_fp16_keeps_the_norm_in_fp32(fp16: Path) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(str(fp16)))
    types = {each.name: each.type.tensor_type.elem_type for each in model.graph.value_info}
    (gemm,) = (node for node in model.graph.node if node.op_type == "Gemm")
    (norm,) = (node for node in model.graph.node if node.op_type == "ReduceL2")
    assert types[gemm.output[0]] == onnx.TensorProto.FLOAT16
    assert types[norm.output[0]] == onnx.TensorProto.FLOAT


def test_long_vectors_before_the_norm_do_not_leave_the_range_of_fp16(
    toy_model: TorchEmbedder, tmp_path: Path, fp32: Path
) -> None:
    state = {name: value.clone() for name, value in toy_model.state_dict().items()}
    for name in ("head.weight", "head.bias"):
        state[name] *= 3000 / toy_model.head.weight.abs().max()
    long = TorchEmbedder(toy_model.config, toy_model.preprocessing)
    long.load_state_dict(state)
    export_onnx(long, tmp_path / "fp32.onnx")
    to_fp16(tmp_path / "fp32.onnx", tmp_path / "fp16.onnx")
    cosines = (embedded(tmp_path / "fp16.onnx", unseen()) * embedded(fp32, unseen())).sum(axis=1)
    assert cosines.min() > 0.9999


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv4_conv_small_050"])
def test_other_nets_convert_as_well(backbone: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = TorchEmbedder(
        ModelConfig.model_validate({"backbone": backbone, "embedding_dim": 8}), Preprocessing(64)
    ).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    export_onnx(model, tmp_path / "fp32.onnx")
    photos = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    to_int8(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", photos)
    to_fp16(tmp_path / "fp32.onnx", tmp_path / "fp16.onnx")
    reference = embedded(tmp_path / "fp32.onnx", photos, 64)
    for path, least in ((tmp_path / "int8.onnx", 0.95), (tmp_path / "fp16.onnx", 0.9999)):
        assert stamp(path) == (8, {"": 17})
        assert (embedded(path, photos, 64) * reference).sum(axis=1).min() > least


def test_calibration_photos_set_the_ranges(fp32: Path, training: Pixels, int8: Path, tmp_path: Path) -> None:
    to_int8(fp32, tmp_path / "black.onnx", np.zeros_like(training[:2]))
    reference = embedded(fp32, unseen())
    by_black, by_training = (
        (embedded(path, unseen()) * reference).sum(1).mean() for path in (tmp_path / "black.onnx", int8)
    )
    assert by_black < by_training - 0.01


def test_the_same_photos_give_the_same_bytes(fp32: Path, training: Pixels, int8: Path, tmp_path: Path) -> None:
    to_int8(fp32, tmp_path / "again.onnx", training)
    assert (tmp_path / "again.onnx").read_bytes() == int8.read_bytes()


def test_without_photos_there_is_no_int8(fp32: Path, training: Pixels, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be calibrated without training photos: give at least one"):
        to_int8(fp32, tmp_path / "int8.onnx", training[:0])
    assert list(tmp_path.iterdir()) == []


def test_photos_of_another_size_are_an_error(fp32: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"fp32\.onnx cannot be quantised \(.*dimensions.*: ship fp32"):
        to_int8(fp32, tmp_path / "int8.onnx", np.zeros((2, SIZE + 1, SIZE + 1, 3), np.uint8))


def test_what_is_no_onnx_file_is_an_error(training: Pixels, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(TrainingError, match=r"bad\.onnx cannot be quantised"):
        to_int8(tmp_path / "bad.onnx", tmp_path / "int8.onnx", training[:1])
    with pytest.raises(TrainingError, match=r"bad\.onnx cannot be converted to fp16"):
        to_fp16(tmp_path / "bad.onnx", tmp_path / "fp16.onnx")


def test_a_graph_without_a_head_is_an_error_in_fp16(tmp_path: Path) -> None:
    write_model(tmp_path / "headless.onnx")
    with pytest.raises(TrainingError, match=r"headless\.onnx cannot be converted to fp16"):
        to_fp16(tmp_path / "headless.onnx", tmp_path / "fp16.onnx")


def test_the_libraries_own_remarks_are_not_passed_on(
    fp32: Path, training: Pixels, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        to_int8(fp32, tmp_path / "int8.onnx", training[:4])
        to_fp16(fp32, tmp_path / "fp16.onnx")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_fp16_is_for_graphics_processors() -> None:
    assert "CPUExecutionProvider" not in FP16_PROVIDERS
