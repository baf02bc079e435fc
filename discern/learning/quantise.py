"""The fp32 export in fewer bits: fp16 where the execution provider computes in it, int8 everywhere.

Rules kept:
- what comes out takes and gives what the fp32 export does, uint8 pixels and float32 vectors of unit length, and carries
  its opset and IR version, so that the same runtimes load it;
- int8 is static QDQ with 8-bit activations and 7-bit weights. Without VNNI, x86 multiplies u8 by s8 into saturating
  16 bits, two products at once: 8-bit weights can reach 2 x 255 x 127 = 64,770 where 32,767 is the limit, 7-bit ones
  2 x 255 x 64 = 32,640. A ResNet-10 with 8-bit weights gave embeddings of cosine 0.83 on an AVX2 processor (emulated)
  where its own were expected; with 7-bit weights AVX2 and VNNI agree to the bit, and an ARM Cortex-A76 (emulated) to
  0.99998. u8u8 and s8s8 cost the speed: onnxruntime has quick kernels for u8s8 on x86 alone;
- the head stays in fp32: it is under a hundredth of the work, and where its output had 8 bits, the embeddings lay up
  to twice as far from fp32's, and the least change of the pixels moved them three times as far.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.utils import Extractor
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from discern.errors import TrainingError, first_line
from edge_runtime.core.images import Pixels

FP16_PROVIDERS = frozenset({"CUDAExecutionProvider", "TensorrtExecutionProvider"})
BATCH = 16  # photos that calibrate at once


def to_fp16(source: Path, target: Path) -> None:
    """Write the fp32 export `source` to `target` with weights and activations in fp16, and the L2 norm in fp32.

    Raises:
        TrainingError: it cannot be converted.
    """
    try:
        parts = Extractor(onnx.shape_inference.infer_shapes(onnx.load(str(source))))
        (photos,), (embeddings,) = parts.graph.input, parts.graph.output
        (head,) = (node.output[0] for node in parts.graph.node if node.name in _head(parts.model))
        # The norm stays in fp32: its sum of squares may leave the range of fp16, and its rounding the unit length.
        body = convert_float_to_float16(parts.extract_model([photos.name], [head]), keep_io_types=True)
        norm = parts.extract_model([head], [embeddings.name])
        body.graph.node.extend(norm.graph.node)
        body.graph.initializer.extend(norm.graph.initializer)
        body.graph.output[0].CopyFrom(norm.graph.output[0])
        onnx.save(body, str(target))
        _check(source, target)
    except Exception as error:  # the converter has no errors of its own
        raise TrainingError(f"{source.name} cannot be converted to fp16 ({first_line(error)}): ship fp32.") from error


def to_int8(source: Path, target: Path, photos: Pixels) -> None:
    """Write the fp32 export `source` to `target` in int8, with activation ranges as `photos` [n, size, size, 3] show.

    Args:
        source: the fp32 export.
        target: where the int8 one goes.
        photos: of the training split, uint8; what later measures the model must not calibrate it.

    Raises:
        TrainingError: there is no photo, or it cannot be quantised.
    """
    if len(photos) == 0:
        raise TrainingError("int8 cannot be calibrated without training photos: give at least one.")
    try:
        model = onnx.load(str(source))
        with tempfile.TemporaryDirectory(prefix="quantise-") as temporary:
            inferred = Path(temporary) / "inferred.onnx"
            # Shapes alone: its optimiser stamps the graph with operator sets that onnxruntime 1.16 refuses.
            quant_pre_process(str(source), str(inferred), skip_optimization=True, skip_symbolic_shape=True)
            quantize_static(
                str(inferred),
                str(target),
                _Photos(photos, model.graph.input[0].name),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=_head(model),
            )
        _check(source, target)
    except Exception as error:  # neither has the quantiser
        raise TrainingError(f"{source.name} cannot be quantised ({first_line(error)}): ship fp32.") from error


def stamp(path: Path) -> tuple[int, dict[str, int]]:
    """Return the IR version of a file and the version of each operator set: they decide which runtimes load it."""
    model = onnx.load(str(path), load_external_data=False)
    return model.ir_version, {entry.domain: entry.version for entry in model.opset_import}


class _Photos(CalibrationDataReader):
    """Hands photos to the quantiser, some at a time."""

    def __init__(self, photos: Pixels, name: str) -> None:
        self._batches: Iterator[Pixels] = (photos[start : start + BATCH] for start in range(0, len(photos), BATCH))
        self._name = name

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def _head(model: onnx.ModelProto) -> list[str]:
    """The node of the embedding head: the last linear layer."""
    return [node.name for node in model.graph.node if node.op_type == "Gemm"][-1:]


def _check(source: Path, target: Path) -> None:
    onnx.checker.check_model(str(target), full_check=True)
    if stamp(target) != stamp(source):
        raise ValueError(f"IR version and operator sets became {stamp(target)}, from {stamp(source)}")
