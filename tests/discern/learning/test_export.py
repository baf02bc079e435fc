from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from discern.errors import TrainingError
from discern.learning.config import ModelConfig
from discern.learning.embedding import embed
from discern.learning.export import check_parity, export_onnx
from discern.learning.models import TorchEmbedder
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels, Preprocessing
from tests.discern import toy

SIZE = toy.PREPROCESSING.size


@pytest.fixture(scope="module")
def exported(toy_model: TorchEmbedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(toy_model, path)
    return path


def photos(count: int = 9) -> Pixels:
    return np.stack([toy.PREPROCESSING.apply(toy.disc(label, 77)) for label in toy.LABELS[:count]])


def test_the_weights_are_trained_ones(toy_model: TorchEmbedder) -> None:
    """A fresh net of timm's may have zeroed norms, whose branches would say nothing of the export."""
    norms = [module for module in toy_model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(norm.weight.abs().min() > 0.01 for norm in norms)
    assert all(norm.running_mean is not None and norm.running_mean.abs().sum() > 0 for norm in norms)


def test_both_runtimes_give_one_embedding(toy_model: TorchEmbedder, exported: Path) -> None:
    assert check_parity(toy_model, exported, photos()) > 0.99999
    theirs = OnnxEmbedder(exported, toy.PREPROCESSING).embed(photos())
    np.testing.assert_allclose(theirs, embed(toy_model, photos()).numpy(), atol=1e-4)
    assert np.ptp(theirs, axis=0).max() > 0.1  # and the photos do not all give the same one


def test_the_file_keeps_what_old_runtimes_load(exported: Path) -> None:
    model = onnx.load(str(exported))
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    assert not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)


def test_pixels_go_in_as_they_are_and_the_batch_has_any_length(exported: Path) -> None:
    session = onnxruntime.InferenceSession(str(exported))
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.type, taken.shape) == ("tensor(uint8)", ["n", SIZE, SIZE, 3])
    assert (given.type, given.shape) == ("tensor(float)", ["n", 16])
    for count in (1, 2, 7):
        (vectors,) = session.run(None, {taken.name: photos(count)})
        assert vectors.shape == (count, 16)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv4_conv_small_050"])
@pytest.mark.parametrize("stem", ["standard", "small"])
def test_other_nets_and_stems_export_as_well(backbone: str, stem: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ModelConfig.model_validate({"backbone": backbone, "stem": stem, "embedding_dim": 8})
    model = TorchEmbedder(config, Preprocessing(64)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # like trained ones: none is zero, none stands at its start
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    export_onnx(model, tmp_path / "model.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    assert check_parity(model, tmp_path / "model.onnx", pixels) > 0.9999


def test_a_file_of_other_weights_fails_the_parity_check(toy_model: TorchEmbedder, exported: Path) -> None:
    other = copy.deepcopy(toy_model)
    with torch.no_grad():
        other.head.weight[0] += 0.3
    with pytest.raises(TrainingError, match=r"export of mobilenetv3_small_050 differs from torch \(cosine 0\.\d+\)"):
        check_parity(other, exported, photos())


def test_parity_without_photos_is_an_error(toy_model: TorchEmbedder, exported: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be checked without photos"):
        check_parity(toy_model, exported, photos()[:0])


def test_a_model_in_training_is_exported_as_it_will_answer(toy_model: TorchEmbedder, tmp_path: Path) -> None:
    training = copy.deepcopy(toy_model).train()
    export_onnx(training, tmp_path / "model.onnx")
    assert check_parity(toy_model, tmp_path / "model.onnx", photos()) > 0.99999


def test_the_same_model_gives_the_same_bytes(toy_model: TorchEmbedder, exported: Path, tmp_path: Path) -> None:
    export_onnx(toy_model, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == exported.read_bytes()


def test_the_exporters_own_warnings_are_not_passed_on(toy_model: TorchEmbedder, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        export_onnx(toy_model, tmp_path / "model.onnx")
    assert heard == []
