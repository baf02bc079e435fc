"""Reading what `torch.save` wrote, without running anything that the file says."""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch


def load_tensors(data: bytes) -> Any:
    """Tensors and plain values from the bytes of a file of `torch.save`, on the CPU.

    Raises:
        ValueError: the bytes are damaged, or hold something else.
    """
    with warnings.catch_warnings():
        # A file of another make is refused below, not discussed.
        warnings.simplefilter("ignore")
        try:
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:
            # torch's own message advises to load the file with all that it says.
            raise ValueError("not a file of tensors that torch.save wrote") from error
