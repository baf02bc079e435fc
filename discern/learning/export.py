"""Export to ONNX: uint8 pixels in, unit vectors out, everything between inside the graph."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from discern.errors import TrainingError
from discern.learning.embedding import embed
from discern.learning.models import TorchEmbedder
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Pixels

OPSET = 17  # with the TorchScript exporter it gives IR 8, which onnxruntime 1.16 and later load
PARITY = 0.9999  # smallest cosine between torch's and onnxruntime's embedding of the same photo


class _Exportable(nn.Module):
    """The model behind the device's interface: [n, H, W, 3] uint8 in."""

    def __init__(self, model: TorchEmbedder) -> None:
        super().__init__()
        self.model = model

    def forward(self, photos: Tensor) -> Tensor:
        return self.model(photos.permute(0, 3, 1, 2).float() / 255)


def export_onnx(model: TorchEmbedder, path: Path) -> None:
    """Write `model` to `path` with a batch of any length and photos of the size of its preprocessing."""
    size = model.preprocessing.size
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated for one whose opset JetPack 6's onnxruntime cannot load.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Exportable(model).eval(),
            (torch.zeros(1, size, size, 3, dtype=torch.uint8),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["photos"],
            output_names=["embeddings"],
            dynamic_axes={"photos": {0: "n"}, "embeddings": {0: "n"}},
        )


def check_parity(model: TorchEmbedder, path: Path, photos: Pixels) -> float:
    """The smallest cosine between the two runtimes' embeddings of `photos` [n, size, size, 3].

    Raises:
        TrainingError: it is under `PARITY`, or there is no photo to compare.
    """
    if len(photos) == 0:
        raise TrainingError("The export's parity cannot be checked without photos: give at least one.")
    by_torch = embed(model, photos).numpy()
    by_onnx = OnnxEmbedder(path, model.preprocessing).embed(photos)
    worst = float(np.min(np.sum(by_torch * by_onnx, axis=1)))
    if not worst >= PARITY:
        raise TrainingError(
            f"The ONNX export of {model.config.backbone} differs from torch (cosine {worst:.6f}): use another backbone."
        )
    return worst
