"""The embedding model: uint8 pixels in, unit vectors out, through onnxruntime.

Rules kept:
- the graph takes [n, size, size, 3] uint8 and gives [n, d] float32 of unit length; anything else is refused;
- normalisation is inside the graph, so there is none here;
- nothing is sent anywhere: onnxruntime's telemetry is off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge_runtime.core.images import Pixels, Preprocessing
from edge_runtime.errors import ReleaseError, first_line

UNIT_NORM = 1e-3  # how far an embedding's length may be from 1
QUIET = 3  # onnxruntime's severity "error"


class OnnxEmbedder:
    """An ONNX embedding model on the CPU, or on CUDA where onnxruntime has it. Safe to share between threads.

    Args:
        path: the ONNX file.
        preprocessing: what its input must look like.
        threads: onnxruntime's threads for one call; with as many callers as cores, 1 is the quickest.

    Raises:
        ReleaseError: the file cannot be loaded or keeps another contract.
    """

    def __init__(self, path: Path, preprocessing: Preprocessing, threads: int = 1) -> None:
        self.preprocessing = preprocessing
        self._path = path
        self._session = _open(path, threads)
        self._input = _check_input(self._session, path, preprocessing.size)
        self.dim = self._probe()

    @property
    def provider(self) -> str:
        """The execution provider that onnxruntime took, which may be another than the first that it lists."""
        return str(self._session.get_providers()[0])

    def embed(self, batch: Pixels) -> NDArray[np.float32]:
        """Embed `batch` [n, size, size, 3] uint8 as [n, d] float32 of unit length.

        Raises:
            ReleaseError: the batch has another shape, or the model fails on it.
        """
        size = self.preprocessing.size
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (size, size, 3):
            raise ReleaseError(
                f"the model wants uint8 [n, {size}, {size}, 3] and was given {batch.dtype} {batch.shape}."
            )
        try:
            (vectors,) = self._session.run(None, {self._input: batch})
        except Exception as error:  # noqa: BLE001  onnxruntime raises a family of its own without a common root
            raise ReleaseError(f"{self._path} failed on a batch of {len(batch)} ({first_line(error)}).") from None
        return np.asarray(vectors)

    def _probe(self) -> int:
        """Run a batch of two, which tells a fixed batch size, the dimension and whether lengths are 1."""
        size = self.preprocessing.size
        ramp = np.linspace(0, 255, 2 * size * size * 3).astype(np.uint8).reshape(2, size, size, 3)
        vectors = self.embed(ramp)
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != 2:
            raise ReleaseError(f"{self._path} gives {vectors.dtype} {vectors.shape} where float32 [n, d] is needed.")
        lengths = np.linalg.norm(vectors, axis=1)
        if not np.isfinite(lengths).all() or np.abs(lengths - 1.0).max() > UNIT_NORM:
            raise ReleaseError(
                f"{self._path} gives embeddings that are not of unit length: export it with the L2 norm."
            )
        return int(vectors.shape[1])


def check_loadable(path: Path) -> None:
    """Refuse what is not an ONNX model that onnxruntime can load here.

    Raises:
        ReleaseError: it is not.
    """
    _open(path, threads=1)


def _open(path: Path, threads: int) -> Any:
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    wanted = [
        name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in ort.get_available_providers()
    ]
    try:
        # From bytes, so that a graph cannot name other files as its weights.
        return ort.InferenceSession(path.read_bytes(), options, providers=wanted)
    except OSError as error:
        raise ReleaseError(f"{path} cannot be read ({error.strerror}): pull the release again.") from None
    except Exception as error:  # noqa: BLE001  onnxruntime raises a family of its own without a common root
        raise ReleaseError(f"{path} is not a model that onnxruntime can load ({first_line(error)}).") from None


def _check_input(session: Any, path: Path, size: int) -> str:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ReleaseError(f"{path} has {len(inputs)} inputs and {len(outputs)} outputs where one of each is needed.")
    taken = inputs[0]
    if taken.type != "tensor(uint8)" or len(taken.shape) != 4 or list(taken.shape[1:]) != [size, size, 3]:
        raise ReleaseError(f"{path} takes {taken.type} {taken.shape} where uint8 [n, {size}, {size}, 3] is needed.")
    if outputs[0].type != "tensor(float)":
        raise ReleaseError(f"{path} gives {outputs[0].type} where float32 is needed.")
    return str(taken.name)
