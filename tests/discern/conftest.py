"""Fixtures of the library's tests: a toy dataset version, and a model trained on it, each made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from discern.data.versions import DatasetVersion, write_version
from discern.evaluation.comparison import GateConfig
from discern.evaluation.metrics import Metrics
from discern.learning.models import EmbeddingModel
from discern.learning.recipes import train_teacher
from discern.releases.candidate import build_candidate
from discern.releases.comparison import Comparison, compare
from edge_runtime.release import Release
from tests.discern import candidates, toy


@pytest.fixture(scope="session")
def toy_version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    """Discs of several classes; not to be changed."""
    version, rejected = write_version(toy.photos(), str(tmp_path_factory.mktemp("shards")), source="toy")
    assert not rejected
    return version


@pytest.fixture(scope="session")
def toy_model(toy_version: DatasetVersion) -> EmbeddingModel:
    """A model that learned the toy's training classes; not to be changed."""
    config = toy.config(steps=60, classes_per_batch=12, photos_per_class=2)
    return train_teacher(toy_version, toy.PREPROCESSING, config).model


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Torch on one thread: sums have one order, and tests beside these do not slow it twentyfold (measured)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def candidate(
    toy_version: DatasetVersion, toy_model: EmbeddingModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Release, Metrics]:
    """A release candidate of the toy model with its figures; not to be changed."""
    folder = tmp_path_factory.mktemp("candidate") / "release"
    release, metrics, _ = build_candidate(
        folder,
        candidates.NAME,
        toy_version,
        toy_model,
        toy.PREPROCESSING,
        candidates.GALLERY,
        candidates.CONFIG,
        candidates.LINEAGE,
    )
    return release, metrics


@pytest.fixture(scope="session")
def production(toy_version: DatasetVersion, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Another release over the same classes; not to be changed."""
    return candidates.by_colour(tmp_path_factory.mktemp("production") / "release", toy_version)


@pytest.fixture(scope="session")
def comparison(candidate: tuple[Release, Metrics], production: Release, toy_version: DatasetVersion) -> Comparison:
    """The candidate against production."""
    return compare(candidate[0], production, toy_version, candidates.GALLERY, GateConfig(resamples=300))
