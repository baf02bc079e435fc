"""The model that learned the toy's training classes."""

from __future__ import annotations

from pathlib import Path

from discern.datasets.manifest import DatasetVersion
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import train_on_labels
from tests.discern import toy
from tests.prepared import prepared


def trained(version: DatasetVersion) -> TorchEmbedder:
    """Return the model, trained on the toy version here or by an earlier test run with the same code."""

    def train(_: Path) -> TorchEmbedder:
        config = toy.config(steps=60, classes_per_batch=12, photos_per_class=2)
        return train_on_labels(version, toy.PREPROCESSING, config).model

    return prepared("toy-model", __name__, train)
