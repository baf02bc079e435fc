"""A timm backbone with an embedding head.

Normalisation and preprocessing are part of the model, so that no caller can get them wrong.
"""

from __future__ import annotations

import hashlib
import importlib
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import fsspec
import safetensors.torch
import timm
import torch
from huggingface_hub import constants as hub
from huggingface_hub import get_session
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from discern.errors import TrainingError
from discern.learning.config import ModelConfig
from discern.learning.packaged_weights import PackagedWeights, packaged, read_packaged, renamed
from discern.learning.safe_load import load_tensors
from discern.suggestions import suggest
from edge_runtime.core.images import Preprocessing

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # timm's default
IMAGENET_STD = (0.229, 0.224, 0.225)
HUB_PATIENCE = 5.0  # seconds until the hub counts as out of reach; its own client would try for most of a minute
CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model")  # under which training scripts keep the state dict
PARALLEL = "module."
LONGEST_REASON = 200  # characters of torch's reason why weights do not fit, which may name hundreds of layers
# Depthwise re-parameterised nets corrupt the heap in channels_last on CPU (torch 2.15): these alone are known good.
CHANNELS_LAST = ("resnet", "mobilenet", "efficientnet")


class TorchEmbedder(nn.Module):
    """Photos in, unit vectors out.

    Args:
        config: backbone, head and where weights come from.
        preprocessing: makes the photos that the model embeds.

    Attributes:
        config: without where the weights came from, since they are here.
        preprocessing: as given; it goes wherever the model goes.
        has_head: the weights that `config` names brought the head's too.

    Raises:
        TrainingError: the backbone is unknown, or its weights cannot be had or do not fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.config = _without_source(config)
        self.preprocessing = preprocessing
        self.backbone = _backbone(config)
        if config.stem == "small":
            _halve_stem_stride(self.backbone, config.backbone)
        # Some timm models have a head between features and pooled output that changes the width.
        width = getattr(self.backbone, "head_hidden_size", None) or self.backbone.num_features
        self.head = nn.Linear(width, config.embedding_dim)
        mean, std = _normalisation(self.config, self.backbone)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.has_head = config.weights is not None and load_weights(self, config.weights)

    def forward(self, images: Tensor) -> Tensor:
        """Embed `images` [n, 3, H, W], float in [0, 1]; returns [n, embedding_dim] of unit length."""
        features = self.features(images)
        # In float32 under mixed precision too: bfloat16 rounds cosines by up to .0014, and look-alikes differ by less.
        with torch.autocast(features.device.type, enabled=False):
            return functional.normalize(self.head(features.float()), dim=1)

    def features(self, images: Tensor) -> Tensor:
        """Return what the head is given of `images` [n, 3, H, W], float in [0, 1]: [n, width]."""
        features: Tensor = self.backbone((images - self.mean) / self.std)
        return features

    def fingerprint(self) -> str:
        """Return the SHA-256 of config, preprocessing and weights: equal for models that embed photos alike."""
        digest = hashlib.sha256(self.config.model_dump_json().encode())
        digest.update(f"{self.preprocessing.size} {self.preprocessing.fit}".encode())
        for name, tensor in self.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


EmbeddingModel = TorchEmbedder  # the name under which stored artifacts know the class


def restored(config: ModelConfig, preprocessing: Preprocessing, weights: dict[str, Tensor]) -> TorchEmbedder:
    """The model of `config` with `weights`, its own state dict, in evaluation mode; nothing is fetched or read.

    Raises:
        RuntimeError: the weights are another model's.
    """
    model = TorchEmbedder(_without_source(config), preprocessing)
    model.load_state_dict(weights)
    return model.eval()


def memory_format(config: ModelConfig) -> torch.memory_format:
    """Return the memory layout of this model's weights and photos; channels last is quicker where it is safe."""
    return torch.channels_last if config.backbone.startswith(CHANNELS_LAST) else torch.contiguous_format


def count_parameters(model: nn.Module) -> int:
    """Number of weights of `model`."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_adds(model: nn.Module, size: int) -> int:
    """Multiply-adds of one photo of `size` x `size` pixels: convolutions and matrix products, without their biases."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, 3, size, size, device=next(model.parameters()).device))
    finally:
        model.train(training)
    return int(counter.get_total_flops()) // 2  # a multiply-add is two operations


def load_weights(model: TorchEmbedder, url: str) -> bool:
    """Load a state dict from a path or an s3:// URL: of the whole model, or timm's of its backbone.

    Returns:
        True for the whole model, its head included.

    Raises:
        TrainingError: it cannot be read, or its keys or shapes do not fit.
    """
    if (package := packaged(url)) is not None:
        _load_package(model, package, url)
        return False
    state = _unwrapped(_read_state(url))
    whole = not isinstance(state, dict) or any(str(key).startswith("backbone.") for key in state)
    try:
        if whole:
            model.load_state_dict(state)
        else:
            model.backbone.load_state_dict(_of_backbone(state, model.backbone))
    except (RuntimeError, TypeError, AttributeError, KeyError, ValueError) as error:
        raise TrainingError(
            f"The weights {url} do not fit this model ({_last_line(error)}): use the config they came from."
        ) from None
    return whole


def _of_backbone(state: dict[Any, Any], backbone: Any) -> dict[Any, Any]:
    """Return timm's `state` for a backbone without classes; a transformer's positions, for its size of photos."""
    layers = backbone.pretrained_cfg["classifier"]
    # What timm does to the weights of its hub.
    adapt = getattr(importlib.import_module(type(backbone).__module__), "checkpoint_filter_fn", None)
    return _without_classifier(state if adapt is None else adapt(state, backbone), layers)


def _load_package(model: TorchEmbedder, package: PackagedWeights, url: str) -> None:
    """Load the weights of the backbone from an installed package."""
    if model.config.backbone != package.backbone:
        raise TrainingError(
            f"The weights {url} are those of {package.backbone}, and the backbone is {model.config.backbone}: set "
            f"`backbone: {package.backbone}`."
        )
    try:
        model.backbone.load_state_dict(renamed(read_packaged(package), model.backbone.state_dict()))
    except ValueError as error:
        raise TrainingError(f"The weights {url} do not fit this model ({error}): leave out its `options`.") from None


def _normalisation(config: ModelConfig, backbone: Any) -> tuple[Sequence[float], Sequence[float]]:
    """Return mean and standard deviation of the backbone's input, a number for each channel, of values in [0, 1]."""
    if config.normalisation == "imagenet":
        return IMAGENET_MEAN, IMAGENET_STD
    return backbone.pretrained_cfg["mean"], backbone.pretrained_cfg["std"]


def _without_source(config: ModelConfig) -> ModelConfig:
    """Return the config without the origin of its weights; the normalisation that they want stays."""
    normalisation = "backbone" if config.stated_normalisation == "backbone" else config.normalisation
    return config.model_copy(update={"pretrained": False, "weights": None, "normalisation": normalisation})


def _without_classifier(state: dict[Any, Any], names: str | Sequence[str] | None) -> dict[Any, Any]:
    """Drop the classifier's layers `names` from timm's `state`, since a backbone has no classes."""
    layers = (names,) if isinstance(names, str) else (names or ())
    return {key: value for key, value in state.items() if str(key).rpartition(".")[0] not in layers}


def _unwrapped(state: Any) -> Any:
    """Return the state dict of a training script's checkpoint, without the prefix of torch's data parallelism."""
    for key in CHECKPOINT_KEYS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if isinstance(state, dict) and state and all(str(key).startswith(PARALLEL) for key in state):
        return {str(key).removeprefix(PARALLEL): value for key, value in state.items()}
    return state


def _last_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip().rstrip(".")
    return textwrap.shorten(line, LONGEST_REASON, placeholder=" ...")


def weights_fingerprint(config: ModelConfig) -> str:
    """Return the SHA-256 of the file that `config.weights` names; empty where it names none.

    Raises:
        TrainingError: it cannot be read.
    """
    if config.weights is None:
        return ""
    package = packaged(config.weights)
    data = _read_bytes(config.weights) if package is None else read_packaged(package)
    return hashlib.sha256(data).hexdigest()


def _read_state(url: str) -> Any:
    data = _read_bytes(url)
    try:
        return safetensors.torch.load(data) if url.endswith(".safetensors") else load_tensors(data)
    except (ValueError, SafetensorError):
        raise TrainingError(
            f"The weights {url} are damaged, or hold more than tensors: save a state dict by torch.save."
        ) from None


def _read_bytes(url: str) -> bytes:
    try:
        with fsspec.open(url, "rb") as file:
            return bytes(file.read())
    except (OSError, ValueError, ImportError) as error:
        raise TrainingError(f"The weights {url} cannot be read ({error}): name a file saved by torch.save.") from None


def _backbone(config: ModelConfig) -> Any:
    if not timm.is_model(config.backbone):
        hint = suggest(config.backbone, timm.list_models(), otherwise="see timm.list_models().", count=3)
        raise TrainingError(f"timm has no model {config.backbone!r}: {hint}")
    try:
        bare = timm.create_model(config.backbone, num_classes=0, **config.options)
        _ = bare.num_features  # what gives feature maps has none
    except Exception as error:  # noqa: BLE001  timm's nets raise several kinds
        cause = "does not take these `options`" if config.options else "cannot be made"
        raise TrainingError(f"timm's {config.backbone} {cause} ({_last_line(error)}): see its documentation.") from None
    return _pretrained(config) if config.pretrained else bare


def _pretrained(config: ModelConfig) -> Any:
    try:
        with _impatient_hub():
            return timm.create_model(config.backbone, pretrained=True, num_classes=0, **config.options)
    except RuntimeError as error:  # timm's own where it has no weights, load_state_dict's where they do not fit
        raise TrainingError(
            f"The pretrained weights of {config.backbone} do not exist, or do not fit its `options` "
            f"({_last_line(error)}): set `pretrained: false`, or leave its shape as it is."
        ) from None
    except Exception as error:  # noqa: BLE001  the hub's client raises a dozen kinds of error for one cause
        raise TrainingError(
            f"The pretrained weights of {config.backbone} cannot be fetched from {hub.ENDPOINT} "
            f"({type(error).__name__}): set `pretrained: false`, or name a file in `weights`."
        ) from None


@contextmanager
def _impatient_hub() -> Iterator[None]:
    """Use only the hub's cache on this machine where the hub does not answer at once."""
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = before or not _hub_answers()
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _hub_answers() -> bool:
    try:
        get_session().head(hub.ENDPOINT, timeout=HUB_PATIENCE)
    except Exception:  # noqa: BLE001  whatever went wrong, the hub is out of reach
        return False
    return True


def _halve_stem_stride(backbone: Any, name: str) -> None:
    """ResNets lose their max-pool, others the stride of their first convolution: both keep all weights as they are."""
    if isinstance(getattr(backbone, "maxpool", None), nn.MaxPool2d):
        backbone.maxpool = nn.Identity()
        return
    stem = getattr(backbone, "conv_stem", None)
    if isinstance(stem, nn.Conv2d) and stem.stride == (2, 2):
        stem.stride = (1, 1)
        return
    raise TrainingError(f"`stem: small` is not known for {name}: use `stem: standard`.")
