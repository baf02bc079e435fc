"""The processor that trains, and the length of the numbers that it computes with."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import InitProcessGroupKwargs

from discern.errors import TrainingError
from discern.learning.config import LoopConfig

MixedPrecision = Literal["no", "fp16", "bf16"]
# torch's names of instructions that multiply bfloat16; other processors emulate it, slower than float32.
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")

# How long processes wait for each other: the others for the main one, while it validates or writes.
PATIENCE = timedelta(hours=2)


def accelerator(config: LoopConfig) -> Accelerator:
    """The accelerator of one training.

    Raises:
        TrainingError: the config asks for a GPU and there is none.
    """
    gpu = torch.cuda.is_available()
    if config.device == "gpu" and not gpu:
        raise TrainingError(
            "`device: gpu` needs a GPU that torch can use, and there is none here: use `auto` or `cpu`."
        )
    cpu = config.device == "cpu" or not gpu
    if cpu and config.mixed_precision == "fp16":
        raise TrainingError("`mixed_precision: fp16` needs a GPU, and there is none here: use `auto`, `bf16` or `no`.")
    # accelerate keeps one state a process, and refuses a second training with another device or precision.
    AcceleratorState._reset_state()
    if PartialState._shared_state and PartialState().num_processes == 1:
        PartialState._reset_state()
    waiting = InitProcessGroupKwargs(timeout=PATIENCE)
    return Accelerator(mixed_precision=mixed_precision(config), cpu=cpu, kwargs_handlers=[waiting])


def mixed_precision(config: LoopConfig) -> MixedPrecision:
    """Return the number format that `mixed_precision` comes to on this machine."""
    if config.mixed_precision != "auto":
        return config.mixed_precision
    if config.device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    instructions = torch.cpu.get_capabilities()
    return "bf16" if any(instructions.get(name) for name in BF16_INSTRUCTIONS) else "no"
