"""The processor that trains, and the length of the numbers that it computes with."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import InitProcessGroupKwargs
from torch import nn

from discern.errors import TrainingError
from discern.learning.config import LoopConfig

MixedPrecision = Literal["no", "fp16", "bf16"]
# torch's names of instructions that multiply bfloat16; other processors emulate it, slower than float32.
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")

# How long processes wait for each other: the others for the main one, while it validates or writes.
PATIENCE = timedelta(hours=2)


def check_device(config: LoopConfig) -> None:
    """Refuse a training for which this machine lacks the processor.

    Raises:
        TrainingError: the config asks for a GPU and there is none.
    """
    if config.device == "gpu" and not torch.cuda.is_available():
        raise TrainingError(
            "`device: gpu` needs a GPU that torch can use, and there is none here: use `auto` or `cpu`."
        )
    if _on_cpu(config) and config.mixed_precision == "fp16":
        raise TrainingError("`mixed_precision: fp16` needs a GPU, and there is none here: use `auto`, `bf16` or `no`.")


def check_processes(config: LoopConfig) -> None:
    """Refuse a training in more processes than there are GPUs; without any, they share the CPU.

    Raises:
        TrainingError: there are fewer GPUs than processes.
    """
    gpus = torch.cuda.device_count()
    if config.device != "cpu" and 0 < gpus < config.processes:
        raise TrainingError(
            f"`processes: {config.processes}` need as many GPUs, and {gpus} can be used here: set it to {gpus}."
        )


def accelerator(config: LoopConfig) -> Accelerator:
    """The accelerator of one training.

    Raises:
        TrainingError: as `check_device`.
    """
    check_device(config)
    # accelerate keeps one state a process, and refuses a second training with another device or precision.
    AcceleratorState._reset_state()
    if PartialState._shared_state and PartialState().num_processes == 1:
        PartialState._reset_state()
    waiting = InitProcessGroupKwargs(timeout=PATIENCE)
    return Accelerator(mixed_precision=mixed_precision(config), cpu=_on_cpu(config), kwargs_handlers=[waiting])


def mixed_precision(config: LoopConfig, model: nn.Module | None = None) -> MixedPrecision:
    """Return the number format that `mixed_precision` comes to on this machine, for `model` where it is given."""
    if config.mixed_precision != "auto":
        return config.mixed_precision
    if not _on_cpu(config):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    # Measured on two Xeon cores with AMX, tf_efficientnet_lite0 at 128 px: 23 photos/s in bfloat16, 37 in float32.
    # Dense convolutions are faster in bfloat16 there.
    if model is not None and is_depthwise(model):
        return "no"
    instructions = torch.cpu.get_capabilities()
    return "bf16" if any(instructions.get(name) for name in BF16_INSTRUCTIONS) else "no"


def is_depthwise(model: nn.Module) -> bool:
    """Return whether most of the convolutions that look at a neighbourhood look at one channel each."""
    spatial = [part for part in model.modules() if isinstance(part, nn.Conv2d) and max(part.kernel_size) > 1]
    return 2 * sum(part.groups == part.in_channels > 1 for part in spatial) > len(spatial)


def _on_cpu(config: LoopConfig) -> bool:
    return config.device == "cpu" or not torch.cuda.is_available()
