"""A repository beside the artifact store, and a candidate for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from zenml.client import Client

from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from orchestration import storage_layout
from tests.edge_runtime.toy_release import COLOURS, build_toy

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

USE_CASE = "squares"  # the name of the toy release


@pytest.fixture
def repository(local_stack: Path) -> Iterator[ReleaseRepository]:
    """An empty repository of the local stack, with the keys that lie beside it; others that lie there come back."""
    folders = [local_stack / name for name in ("releases", "keys")]
    others = {folder: folder.with_name(f"{folder.name}-of-others") for folder in folders if folder.exists()}
    for folder, aside in others.items():
        folder.rename(aside)
    repository = ReleaseRepository(storage_layout.releases(), storage_layout.keys())
    repository.initialise()
    yield repository
    for folder in folders:
        shutil.rmtree(folder)
    for folder, aside in others.items():
        aside.rename(folder)


@pytest.fixture
def candidate(local_stack: Path, toy_release: Release) -> Iterator[Release]:
    """A release that the Model Control Plane knows."""
    client = Client()
    client.create_model(name=USE_CASE, save_models_to_registry=False)
    client.create_model_version(USE_CASE, name=toy_release.id)
    yield toy_release
    client.delete_model(USE_CASE)


@pytest.fixture
def registry(local_stack: Path) -> Iterator[MlflowClient]:
    """MLflow, in which the use case has no model before and after the test."""
    from mlflow.tracking import MlflowClient

    tracker: Any = Client().active_stack.experiment_tracker
    client = MlflowClient(tracker.get_tracking_uri())
    _forget(client)
    yield client
    _forget(client)


def _forget(client: MlflowClient) -> None:
    if client.search_registered_models(f"name = '{USE_CASE}'"):
        client.delete_registered_model(USE_CASE)


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Another release of the same use case; not to be changed."""
    return build_toy(tmp_path_factory.mktemp("releases") / "second", colours={**COLOURS, "orange": (230, 130, 20)})
