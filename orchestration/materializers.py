"""How our artifacts lie in the artifact store. Each has a content hash, so equal content keeps later steps cached."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, ClassVar

import torch
from zenml.enums import ArtifactType
from zenml.materializers.base_materializer import BaseMaterializer

from discern.datasets.manifest import DatasetVersion, load_manifest, save_manifest
from discern.learning.config import ModelConfig
from discern.learning.models import TorchEmbedder, count_parameters, restored
from edge_runtime.core.release import Release, open_release

MANIFEST = "manifest.parquet"


class DatasetVersionMaterializer(BaseMaterializer):
    """The manifest; the shards that it lists lie beside the artifact store and are never copied."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (DatasetVersion,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.DATA

    def load(self, data_type: type[Any]) -> DatasetVersion:  # noqa: ARG002
        """Read the manifest."""
        with self.artifact_store.open(f"{self.uri}/{MANIFEST}", "rb") as file:
            return load_manifest(io.BytesIO(file.read()))

    def save(self, data: DatasetVersion) -> None:
        """Write the manifest."""
        buffer = io.BytesIO()
        save_manifest(data, buffer)
        with self.artifact_store.open(f"{self.uri}/{MANIFEST}", "wb") as file:
            file.write(buffer.getvalue())

    def compute_content_hash(self, data: DatasetVersion) -> str:
        """The version's own id."""
        return data.id

    def extract_metadata(self, data: DatasetVersion) -> dict[str, Any]:
        """Counts for the dashboard."""
        splits = data.column("split")
        photos = {split: splits.count(split) for split in sorted(set(splits))}
        return {"version": data.id, "classes": len(set(data.column("label"))), "photos": photos}


class TorchEmbedderMaterializer(BaseMaterializer):
    """Config as JSON and weights as a state dict, which loads without pickled code."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (TorchEmbedder,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def load(self, data_type: type[Any]) -> TorchEmbedder:  # noqa: ARG002
        """Build the model and fill it."""
        with self.artifact_store.open(f"{self.uri}/model.json", "r") as file:
            config = ModelConfig.model_validate_json(file.read())
        with self.artifact_store.open(f"{self.uri}/weights.pt", "rb") as file:
            return restored(config, torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True))

    def save(self, data: TorchEmbedder) -> None:
        """Write config and weights."""
        buffer = io.BytesIO()
        torch.save(data.state_dict(), buffer)
        with self.artifact_store.open(f"{self.uri}/weights.pt", "wb") as file:
            file.write(buffer.getvalue())
        with self.artifact_store.open(f"{self.uri}/model.json", "w") as file:
            file.write(data.config.model_dump_json())

    def compute_content_hash(self, data: TorchEmbedder) -> str:
        """A hash of config and weights."""
        digest = hashlib.sha256(data.config.model_dump_json().encode())
        for name, tensor in data.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def extract_metadata(self, data: TorchEmbedder) -> dict[str, Any]:
        """Size for the dashboard."""
        return {"backbone": data.config.backbone, "parameters": count_parameters(data)}


class ReleaseMaterializer(BaseMaterializer):
    """A release folder, file by file; it is checked whole when it is loaded."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Release,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def load(self, data_type: type[Any]) -> Release:  # noqa: ARG002
        """Copy the folder here and check it."""
        with self.get_temporary_directory(delete_at_exit=False) as temporary:
            folder = Path(temporary)
            with self.artifact_store.open(f"{self.uri}/files.json", "r") as file:
                names = json.load(file)
            for name in names:
                with self.artifact_store.open(f"{self.uri}/{name}", "rb") as file:
                    (folder / name).write_bytes(file.read())
            return open_release(folder)

    def save(self, data: Release) -> None:
        """Copy every file of the release, then the list of them."""
        names = ["release.json", *sorted(data.manifest.files)]
        for name in names:
            with self.artifact_store.open(f"{self.uri}/{name}", "wb") as file:
                file.write((data.folder / name).read_bytes())
        with self.artifact_store.open(f"{self.uri}/files.json", "w") as file:
            json.dump(names, file)

    def compute_content_hash(self, data: Release) -> str:
        """The release's own id, which pins every file."""
        return data.id

    def extract_metadata(self, data: Release) -> dict[str, Any]:
        """What the dashboard shows."""
        return {"release": data.id, **data.manifest.metrics}
