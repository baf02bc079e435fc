"""The layout of artifacts in the artifact store. Each has a content hash, so equal content keeps later steps cached."""

from __future__ import annotations

import io
import json
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict
from zenml.enums import ArtifactType
from zenml.materializers.base_materializer import BaseMaterializer

from discern.datasets.manifest import DatasetVersion, load_manifest, save_manifest
from discern.errors import PublicationError, TrainingError, first_line
from discern.learning.config import ImageConfig, ModelConfig
from discern.learning.models import TorchEmbedder, count_parameters, restored
from edge_runtime.core.release import ENROLMENT_FILE, Release, open_release
from edge_runtime.errors import ReleaseError
from orchestration.lineage import producer_parameters
from orchestration.scratch import scratch_folder

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
        counts = {"empty_images": len(data.negatives()), "unlabelled_images": len(data.unlabelled())}
        stated = {name: count for name, count in counts.items() if count}
        return {"version": data.id, "classes": len(data.labels), "photos": photos, **stated}


class EmbedderFile(BaseModel):
    """The file `model.json` of an embedder: all of it but the weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ModelConfig
    image: ImageConfig


class TorchEmbedderMaterializer(BaseMaterializer):
    """Config and preprocessing as JSON, and weights as a state dict, which loads without pickled code.

    A file of an earlier version holds the config alone. Its preprocessing then comes from the parameter `image` of the
    step that trained the model, which ZenML keeps.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (TorchEmbedder,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def load(self, data_type: type[Any]) -> TorchEmbedder:  # noqa: ARG002
        """Build the model and fill it.

        Raises:
            TrainingError: an earlier version made it, and nothing tells its preprocessing any more.
        """
        with self.artifact_store.open(f"{self.uri}/model.json", "r") as file:
            described = self._read(json.loads(file.read()))
        with self.artifact_store.open(f"{self.uri}/weights.pt", "rb") as file:
            weights = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
        return restored(described.model, described.image.preprocessing, weights)

    def save(self, data: TorchEmbedder) -> None:
        """Write config, preprocessing and weights."""
        buffer = io.BytesIO()
        torch.save(data.state_dict(), buffer)
        with self.artifact_store.open(f"{self.uri}/weights.pt", "wb") as file:
            file.write(buffer.getvalue())
        image = ImageConfig(size=data.preprocessing.size, fit=data.preprocessing.fit)
        with self.artifact_store.open(f"{self.uri}/model.json", "w") as file:
            file.write(EmbedderFile(model=data.config, image=image).model_dump_json())

    def compute_content_hash(self, data: TorchEmbedder) -> str:
        """The model's own fingerprint."""
        return data.fingerprint()

    def extract_metadata(self, data: TorchEmbedder) -> dict[str, Any]:
        """Size for the dashboard."""
        return {"backbone": data.config.backbone, "parameters": count_parameters(data)}

    def _read(self, content: dict[str, Any]) -> EmbedderFile:
        if "backbone" not in content:
            return EmbedderFile.model_validate(content)
        image = producer_parameters(self.uri).get("image")
        if image is None:
            raise TrainingError(
                f"The model {self.uri} was stored by an earlier version, and ZenML does not know the run that trained "
                "it: train it again."
            )
        return EmbedderFile(model=ModelConfig.model_validate(content), image=ImageConfig.model_validate(image))


class ReleaseMaterializer(BaseMaterializer):
    """A release folder, file by file; it is checked whole when it is loaded."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Release,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def load(self, data_type: type[Any]) -> Release:  # noqa: ARG002
        """Copy the folder here and check it; the copy is there until the process ends.

        Raises:
            PublicationError: a file of it was altered or lost.
        """
        folder = scratch_folder()
        try:
            with self.artifact_store.open(f"{self.uri}/files.json", "r") as file:
                names = json.load(file)
            for name in names:
                with self.artifact_store.open(f"{self.uri}/{name}", "rb") as file:
                    (folder / name).write_bytes(file.read())
            return open_release(folder)
        except (FileNotFoundError, ValueError, ReleaseError) as error:
            reason = first_line(error).replace(str(folder), self.uri).removesuffix(": pull the release again")
            raise PublicationError(
                f"The release {self.uri} is not what was stored there ({reason}): restore it, or train again with "
                "`steps: {assemble: {enable_cache: false}}` in the training config."
            ) from None

    def save(self, data: Release) -> None:
        """Copy every file of the release, then the list of them."""
        names = ["release.json", *sorted(data.manifest.files)]
        if data.manifest.enrolment is not None:
            names.append(ENROLMENT_FILE)
        for name in names:
            with self.artifact_store.open(f"{self.uri}/{name}", "wb") as file:
                file.write((data.folder / name).read_bytes())
        with self.artifact_store.open(f"{self.uri}/files.json", "w") as file:
            json.dump(names, file)

    def compute_content_hash(self, data: Release) -> str:
        """The release's own id, which pins every file."""
        return data.id

    def extract_metadata(self, data: Release) -> dict[str, Any]:
        """Figures for the dashboard."""
        return {"release": data.id, **data.manifest.metrics}
