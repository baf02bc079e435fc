"""Where a training stands, kept in the artifact store so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel

from discern.errors import TrainingError
from discern.learning.safe_load import load_tensors
from discern.storage.remote import open_place, write_file


@dataclass(frozen=True)
class Checkpoint:
    """One place for the newest state of one training.

    Args:
        url: path or s3:// URL of the file.
        fingerprint: what the training is made of; a checkpoint with another one is refused.
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
        """Forget the state, if there is one."""
        filesystem, path = open_place(self.url)
        if filesystem.exists(path):
            filesystem.rm_file(path)


def fingerprint(config: BaseModel, *parts: str) -> str:
    """16 hexadecimal digits that change with the config or any of `parts`."""
    text = "\n".join([config.model_dump_json(), *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
