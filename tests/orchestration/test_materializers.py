"""Artifacts come back as they were, and equal content has an equal hash."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import torch
from zenml import pipeline, step

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.errors import PublicationError, TrainingError
from discern.learning.config import ImageConfig, ModelConfig
from discern.learning.models import TorchEmbedder, restored
from discern.sources.base import Photo
from edge_runtime.core.images import Preprocessing
from edge_runtime.core.release import Release
from orchestration.materializers import DatasetVersionMaterializer, ReleaseMaterializer, TorchEmbedderMaterializer
from tests.discern.pictures import jpeg, photos
from tests.edge_runtime.toy_release import build_toy


@pytest.fixture
def store() -> Iterator[Path]:
    """A folder in the active artifact store: materializers write nowhere else."""
    from zenml.client import Client

    root = Path(Client().active_stack.artifact_store.path)
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=root))
    yield folder
    shutil.rmtree(folder)


def model(seed: int) -> TorchEmbedder:
    torch.manual_seed(seed)
    return TorchEmbedder(
        ModelConfig(backbone="mobilenetv3_small_050", embedding_dim=16), Preprocessing(32, "stretch")
    ).eval()


def test_a_model_comes_back(store: Path) -> None:
    before = model(1)
    materializer = TorchEmbedderMaterializer(str(store))
    materializer.save(before)
    after = TorchEmbedderMaterializer(str(store)).load(TorchEmbedder)
    photos = torch.rand(2, 3, 32, 32)
    assert torch.equal(before(photos), after(photos))
    assert after.preprocessing == before.preprocessing
    assert materializer.compute_content_hash(before) == materializer.compute_content_hash(after)
    assert materializer.compute_content_hash(before) != materializer.compute_content_hash(model(2))
    assert {path.name for path in store.iterdir()} == {"weights.pt", "model.json"}


def test_a_model_of_an_earlier_version_that_no_run_is_known_of_is_one_sentence(store: Path) -> None:
    TorchEmbedderMaterializer(str(store)).save(model(1))
    (store / "model.json").write_text(model(1).config.model_dump_json())
    with pytest.raises(TrainingError, match=r"^The model \S+ was stored by an earlier version, and [^\n]+: train it"):
        TorchEmbedderMaterializer(str(store)).load(TorchEmbedder)


@step(enable_cache=False, output_materializers=TorchEmbedderMaterializer)
def train_toy(image: ImageConfig) -> Annotated[TorchEmbedder, "toy_teacher"]:
    """A step with the parameter that every step that trains has."""
    return restored(model(1).config, image.preprocessing, model(1).state_dict())


@pipeline(enable_cache=False, enable_step_logs=False)
def toy_training(image: ImageConfig) -> None:
    """A training of one step."""
    train_toy(image=image)


def test_a_model_of_an_earlier_version_has_the_image_settings_of_its_run() -> None:
    image = ImageConfig(size=48, fit="stretch")
    run = toy_training(image=image)
    assert run is not None
    (stored,) = run.steps["train_toy"].outputs["toy_teacher"]
    (Path(stored.uri) / "model.json").write_text(model(1).config.model_dump_json())
    loaded = TorchEmbedderMaterializer(stored.uri).load(TorchEmbedder)
    assert loaded.preprocessing == image.preprocessing
    assert loaded.fingerprint() == stored.content_hash


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return build_toy(tmp_path / "toy")


def test_a_release_comes_back(release: Release, store: Path) -> None:
    materializer = ReleaseMaterializer(str(store))
    materializer.save(release)
    after = ReleaseMaterializer(str(store)).load(Release)
    assert after.id == release.id == materializer.compute_content_hash(after)
    assert after.folder != release.folder


def test_an_altered_release_is_not_loaded(release: Release, store: Path) -> None:
    ReleaseMaterializer(str(store)).save(release)
    path = store / "embeddings.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00\x00")
    with pytest.raises(PublicationError, match=rf"{store}/embeddings\.npy has .*: restore it, or train again with `st"):
        ReleaseMaterializer(str(store)).load(Release)
    path.unlink()
    with pytest.raises(PublicationError, match="is not what was stored there"):
        ReleaseMaterializer(str(store)).load(Release)


def test_a_dataset_version_comes_back_with_the_rows_of_every_kind(store: Path, tmp_path: Path) -> None:
    more = [Photo("belt.jpg", None, jpeg(70), split="train", empty=True), Photo("new.jpg", None, jpeg(71))]
    keep = CleaningConfig(unlabelled="keep")
    version, _ = write_version([*photos(10, 3), *more], str(tmp_path), cleaning=keep)
    materializer = DatasetVersionMaterializer(str(store))
    materializer.save(version)
    after = DatasetVersionMaterializer(str(store)).load(DatasetVersion)
    assert after.id == version.id == materializer.compute_content_hash(after)
    assert after.negatives().column("source") == ["belt.jpg"]
    counts = materializer.extract_metadata(after)
    assert (counts["classes"], sum(counts["photos"].values())) == (10, 30)
    assert (counts["empty_images"], counts["unlabelled_images"]) == (1, 1)
    plain, _ = write_version(photos(10, 3), str(tmp_path))
    assert set(materializer.extract_metadata(plain)) == {"version", "classes", "photos"}
