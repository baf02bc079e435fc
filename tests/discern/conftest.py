"""Fixtures of the library's tests: a toy dataset version, and a model trained on it, each made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from discern.data.versions import DatasetVersion, write_version
from discern.learning.models import EmbeddingModel
from tests.discern import toy


@pytest.fixture(scope="session")
def toy_version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    """Discs of several classes; not to be changed."""
    version, rejected = write_version(toy.photos(), str(tmp_path_factory.mktemp("shards")), source="toy")
    assert not rejected
    return version


@pytest.fixture(scope="session")
def toy_model(toy_version: DatasetVersion) -> EmbeddingModel:
    """A model that learned the toy's training classes; not to be changed."""
    from discern.learning.recipes import train_teacher

    config = toy.config(steps=60, classes_per_batch=12, photos_per_class=2)
    return train_teacher(toy_version, toy.PREPROCESSING, config).model


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Torch on one thread: sums have one order, and tests beside these do not slow it twentyfold (measured)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
