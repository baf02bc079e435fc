"""Let a version through only if its checks say so."""

from __future__ import annotations

from typing import Annotated

from zenml import step

from discern.data.versions import DatasetVersion
from steps.materializers import DatasetVersionMaterializer


@step(output_materializers=DatasetVersionMaterializer)
def gate(version: DatasetVersion) -> Annotated[DatasetVersion, "dataset_version"]:
    return version
