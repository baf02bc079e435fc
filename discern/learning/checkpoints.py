"""The state of a training, kept in the artifact store so that an interrupted training goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

import torch

from discern.errors import TrainingError
from discern.learning.config import DistillConfig, TrainingConfig
from discern.learning.safe_load import load_tensors
from discern.storage.remote import open_place, write_file
from edge_runtime.core.images import Preprocessing


@dataclass(frozen=True)
class Checkpoint:
    """The file that holds the newest state of one training.

    Args:
        url: path or s3:// URL of the file.
        fingerprint: `training_fingerprint` of the training; a checkpoint with another one is refused.
    """

    url: str
    fingerprint: str

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state, whole or not at all."""
        buffer = io.BytesIO()
        torch.save({"fingerprint": self.fingerprint, **state}, buffer)
        write_file(self.url, buffer.getvalue())

    def load(self) -> dict[str, Any] | None:
        """The newest state, or None.

        Raises:
            TrainingError: it belongs to another config or data set, or is damaged.
        """
        filesystem, path = open_place(self.url)
        if not filesystem.exists(path):
            return None
        state = self._read(filesystem.cat_file(path))
        if state["fingerprint"] != self.fingerprint:
            raise TrainingError(
                f"The checkpoint {self.url} belongs to another config or dataset version: remove it to start afresh."
            )
        return state

    def _read(self, data: bytes) -> dict[str, Any]:
        try:
            state = load_tensors(data)
        except ValueError:
            state = None
        if not isinstance(state, dict) or "fingerprint" not in state:
            raise TrainingError(f"{self.url} is not a checkpoint, or is damaged: remove it to start afresh.")
        return state

    def remove(self) -> None:
        """Remove the file, if there is one."""
        filesystem, path = open_place(self.url)
        if filesystem.exists(path):
            filesystem.rm_file(path)


def training_fingerprint(
    config: TrainingConfig,
    dataset: str,
    preprocessing: Preprocessing,
    weights: str,
    code: str,
    *,
    teacher: str = "",
    distillation: DistillConfig | None = None,
) -> str:
    """Return 16 hexadecimal digits that change with anything that the trained weights depend on.

    Args:
        config: of the training.
        dataset: id of the dataset version.
        preprocessing: makes the training photos.
        weights: `weights_fingerprint` of the weights that the training starts from.
        code: fingerprint of the code that trains.
        teacher: a student's: `TorchEmbedder.fingerprint` of its teacher.
        distillation: a student's: how it learns from the teacher.
    """
    parts = [
        config.model_dump_json(),
        dataset,
        json.dumps(dataclasses.asdict(preprocessing)),
        weights,
        code,
        teacher,
        "" if distillation is None else distillation.model_dump_json(),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
